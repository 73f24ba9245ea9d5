/* The least that a native audit hook can do: being there. Loaded the way gnomon is, so that what differs
 * from gnomon is what gnomon does. Compiled by variants.py for the interpreter under test. */
#include <Python.h>

static int ignore(const char *event, PyObject *arguments, void *user) {
    (void)event, (void)arguments, (void)user;
    return 0;
}

static int execute(PyObject *module) {
    (void)module;
    return PySys_AddAuditHook(ignore, NULL);
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, execute}, {0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "_noop", .m_slots = slots};

PyMODINIT_FUNC PyInit__noop(void) { return PyModuleDef_Init(&definition); }
