"""The embedded AWS endpoint: ministack with additions for Firehose (buffering, de-aggregation), Athena (views,
parameters), IoT rules (Kinesis action) and FIFO topics in templates.

Permissions are enforced (AUTH): functions have the permissions of their roles; the credentials `test` are those of the
account root. Runs in its own environment (.venv-endpoint), not the job's.
"""

from __future__ import annotations

import os
import sys
import threading

import athena_views
import fifo_topics
import permissions
import rule_actions
import unsupported
from buffers import Buffers


def main() -> None:
    """Serve on 127.0.0.1:GATEWAY_PORT until the process is terminated."""
    os.environ.update(AUTH="true", BIND_HOST="127.0.0.1", IOT_MTLS_ENABLED="0")
    from ministack import app
    from ministack.core import iam_actions
    from ministack.services import athena, cloudwatch, firehose, glue, iot, kinesis, sns
    from ministack.services.cloudformation.provisioners import _RESOURCE_HANDLERS

    buffers = Buffers(firehose, cloudwatch)
    firehose._deliver_records_to_s3 = buffers.add
    athena_views.install(athena, glue)
    unsupported.install(_RESOURCE_HANDLERS)
    fifo_topics.install(_RESOURCE_HANDLERS, sns)
    rule_actions.install(iot, kinesis)
    permissions.install(app, iam_actions, athena, glue)
    threading.Thread(target=buffers.run, daemon=True).start()
    sys.argv[1:] = []
    app.main()


if __name__ == "__main__":
    main()
