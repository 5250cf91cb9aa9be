"""The dataflow: sources, SQL views and operators, sinks, and the environment that they run in."""

import warnings

# Apache Beam, which PyFlink brings, imports pkg_resources; setuptools warns about it in every run.
warnings.filterwarnings("ignore", message="pkg_resources is deprecated", category=UserWarning)
