"""What python-base promises holds here too, by its own tests; those left out say that its Python is Debian's."""

import sys

sys.path.append("/images/python-base/tests")

from test_python_base import (  # noqa: E402, F401
    test_development_tools_are_the_pinned_ones,
    test_development_tools_run,
    test_extensions_in_c_can_be_compiled,
    test_poetry_works_on_the_environment,
    test_user_can_add_packages,
)
from test_tls import *  # noqa: E402, F403
