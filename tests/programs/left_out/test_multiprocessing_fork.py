"""What CPython has under this name, and does not install in some releases."""

import test._test_multiprocessing

test._test_multiprocessing.install_tests_in_module_dict(globals(), "fork")
