"""What CPython calls test_multiprocessing_spawn, a name that regrtest takes for a folder."""

import test._test_multiprocessing

test._test_multiprocessing.install_tests_in_module_dict(globals(), "spawn")
