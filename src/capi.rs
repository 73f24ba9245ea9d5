//! CPython as the hook needs it: borrowed objects and a few reads that run no Python and raise no event.
//!
//! The FFI boundary, one of the rooms where `unsafe` lives. Functions outside the stable ABI of Python 3.9
//! are looked up once when gnomon is armed, so nothing but the stable ABI is linked.
#![expect(unsafe_code, reason = "this is the boundary to CPython's C API")]

use std::borrow::Cow;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::OnceLock;

use pyo3::ffi;

/// The type of an audit hook (PEP 578).
pub type AuditHook = extern "C" fn(*const c_char, *mut ffi::PyObject, *mut c_void) -> c_int;

type AddAuditHook = unsafe extern "C" fn(AuditHook, *mut c_void) -> c_int;
type Audit = unsafe extern "C" fn(*const c_char, *const c_char, ...) -> c_int;
type AsUtf8AndSize = unsafe extern "C" fn(*mut ffi::PyObject, *mut ffi::Py_ssize_t) -> *const c_char;
type GetDict = unsafe extern "C" fn(*mut ffi::PyObject, *mut c_void) -> *mut ffi::PyObject;

struct Functions {
    add_audit_hook: AddAuditHook,
    audit: Audit,
    utf8: AsUtf8AndSize,
    instance_dict: GetDict,
}

static FUNCTIONS: OnceLock<Option<Functions>> = OnceLock::new();

fn functions() -> Option<&'static Functions> {
    FUNCTIONS.get_or_init(look_up).as_ref()
}

fn look_up() -> Option<Functions> {
    use std::mem::transmute;
    // SAFETY: each symbol is looked up by its name and has the signature of CPython's headers, which did not
    // change from 3.9 to 3.15.
    unsafe {
        Some(Functions {
            add_audit_hook: transmute::<*mut c_void, AddAuditHook>(symbol(c"PySys_AddAuditHook")?),
            audit: transmute::<*mut c_void, Audit>(symbol(c"PySys_Audit")?),
            utf8: transmute::<*mut c_void, AsUtf8AndSize>(symbol(c"PyUnicode_AsUTF8AndSize")?),
            instance_dict: transmute::<*mut c_void, GetDict>(symbol(c"PyObject_GenericGetDict")?),
        })
    }
}

/// The address of a function that this process has loaded, wherever from.
pub fn symbol(name: &CStr) -> Option<*mut c_void> {
    // SAFETY: `name` ends with NUL; a look-up has no other precondition.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!found.is_null()).then_some(found)
}

/// Registers `hook` for the rest of the process. A return of true is no proof that it was added: an earlier
/// hook may have refused it silently.
pub fn add_audit_hook(hook: AuditHook) -> bool {
    // SAFETY: the caller runs within an interpreter; `hook` is a function and lives for ever.
    functions().is_some_and(|api| unsafe { (api.add_audit_hook)(hook, std::ptr::null_mut()) } == 0)
}

/// Raises the audit event `name` with a capsule called `label` around `pointer`, with what exception it may cause
/// cleared.
pub fn raise_event_with_capsule(name: &CStr, label: &'static CStr, pointer: *mut c_void) {
    let Some(api) = functions() else { return };
    // SAFETY: the label lives for ever, as a capsule's has to; the event takes a reference of its own ("O": a debug build
    // refuses to be given one).
    unsafe {
        let Some(capsule) = Owned::new(ffi::PyCapsule_New(pointer, label.as_ptr(), None)) else { return };
        if (api.audit)(name.as_ptr(), c"O".as_ptr(), capsule.object().pointer()) != 0 {
            clear_error();
        }
    }
}

fn clear_error() {
    // SAFETY: called with a thread state, as everything in this file.
    unsafe { ffi::PyErr_Clear() };
}

/// The name of an event as bytes.
///
/// # Safety
/// `event` is the first argument that CPython gave to an audit hook, for the time of that call.
pub unsafe fn event_name<'a>(event: *const c_char) -> &'a [u8] {
    // SAFETY: CPython passes a string that ends with NUL; the caller promises the lifetime.
    unsafe { CStr::from_ptr(event) }.to_bytes()
}

/// An object that somebody else keeps alive.
#[derive(Clone, Copy)]
pub struct Object<'a> {
    pointer: NonNull<ffi::PyObject>,
    owner: PhantomData<&'a ()>,
}

/// An object that we keep alive.
pub struct Owned(NonNull<ffi::PyObject>);

impl Owned {
    /// The object of a new reference; clears the error where there is none.
    pub fn new(pointer: *mut ffi::PyObject) -> Option<Self> {
        let found = NonNull::new(pointer);
        if found.is_none() {
            clear_error();
        }
        found.map(Self)
    }

    /// The object, for as long as we keep it.
    pub fn object(&self) -> Object<'_> {
        Object { pointer: self.0, owner: PhantomData }
    }

    /// The object, to be kept alive by who takes it.
    pub fn into_pointer(self) -> *mut ffi::PyObject {
        std::mem::ManuallyDrop::new(self).0.as_ptr()
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: we own one reference, and run with a thread state.
        unsafe { ffi::Py_DecRef(self.0.as_ptr()) };
    }
}

impl<'a> Object<'a> {
    /// The object at `pointer`, borrowed for the time that the caller can vouch for.
    ///
    /// # Safety
    /// `pointer` is null or an object that lives as long as `'a`; the thread has a thread state.
    pub unsafe fn borrowed(pointer: *mut ffi::PyObject) -> Option<Self> {
        NonNull::new(pointer).map(|pointer| Self { pointer, owner: PhantomData })
    }

    fn is_subclass(self, flag: std::ffi::c_ulong) -> bool {
        // SAFETY: a live object has a live type.
        unsafe { ffi::PyType_GetFlags(ffi::Py_TYPE(self.pointer.as_ptr())) & flag != 0 }
    }

    /// The same object, kept alive by us from here on.
    pub fn keep(self) -> Owned {
        // SAFETY: it is alive.
        unsafe { ffi::Py_IncRef(self.pointer.as_ptr()) };
        Owned(self.pointer)
    }

    /// Where it is.
    pub fn address(self) -> usize {
        self.pointer.as_ptr().expose_provenance()
    }

    /// Where its type is.
    pub fn type_address(self) -> usize {
        self.class().addr()
    }

    /// Where it is, for CPython's own functions.
    pub fn pointer(self) -> *mut ffi::PyObject {
        self.pointer.as_ptr()
    }

    /// What a capsule called `label` holds; `None` for anything else.
    pub fn capsule(self, label: &CStr) -> Option<*mut c_void> {
        let pointer = self.pointer.as_ptr();
        // SAFETY: `PyCapsule_IsValid` takes any object; what is valid has a pointer.
        unsafe {
            (ffi::PyCapsule_IsValid(pointer, label.as_ptr()) == 1)
                .then(|| ffi::PyCapsule_GetPointer(pointer, label.as_ptr()))
        }
    }

    /// Whether this is `None`.
    pub fn is_none(self) -> bool {
        // SAFETY: `Py_None` is always there.
        self.pointer.as_ptr() == unsafe { ffi::Py_None() }
    }

    /// Element `index` of a tuple or list; `None` for anything else and past the end.
    pub fn item(self, index: usize) -> Option<Object<'a>> {
        let index = ffi::Py_ssize_t::try_from(index).ok()?;
        let owner = self.pointer.as_ptr();
        // SAFETY: the type and the bounds are checked before each call; the element is borrowed from the
        // object, and nothing that could change a list runs while the hook does.
        unsafe {
            if self.is_subclass(ffi::Py_TPFLAGS_TUPLE_SUBCLASS) {
                if index < ffi::PyTuple_Size(owner) {
                    return Object::borrowed(ffi::PyTuple_GetItem(owner, index));
                }
            } else if self.is_subclass(ffi::Py_TPFLAGS_LIST_SUBCLASS) && index < ffi::PyList_Size(owner) {
                return Object::borrowed(ffi::PyList_GetItem(owner, index));
            }
        }
        None
    }

    /// How many elements a tuple or list has; `None` for anything else.
    pub fn length(self) -> Option<usize> {
        let pointer = self.pointer.as_ptr();
        // SAFETY: the type was checked before each call.
        let length = unsafe {
            if self.is_subclass(ffi::Py_TPFLAGS_TUPLE_SUBCLASS) {
                ffi::PyTuple_Size(pointer)
            } else if self.is_subclass(ffi::Py_TPFLAGS_LIST_SUBCLASS) {
                ffi::PyList_Size(pointer)
            } else {
                return None;
            }
        };
        usize::try_from(length).ok()
    }

    /// The value of an int that fits; `None` for anything else, also for a bool's or float's look-alikes.
    pub fn integer(self) -> Option<i64> {
        if !self.is_subclass(ffi::Py_TPFLAGS_LONG_SUBCLASS) {
            return None;
        }
        // SAFETY: the object is an int.
        let value = unsafe { ffi::PyLong_AsLongLong(self.pointer.as_ptr()) };
        if value == -1 && had_error() {
            return None;
        }
        Some(value)
    }

    /// Whether this is a str of so many characters.
    pub fn has_characters(self, count: usize) -> bool {
        // SAFETY: the object is a str.
        let length = || unsafe { ffi::PyUnicode_GetLength(self.pointer.as_ptr()) };
        self.is_subclass(ffi::Py_TPFLAGS_UNICODE_SUBCLASS) && usize::try_from(length()) == Ok(count)
    }

    /// The text of a str, in UTF-8; `None` for anything else, and where it holds lone surrogates.
    pub fn text(self) -> Option<&'a str> {
        if !self.is_subclass(ffi::Py_TPFLAGS_UNICODE_SUBCLASS) {
            return None;
        }
        let mut length = 0;
        // SAFETY: the object is a str; the result is kept in it for as long as it lives, and is UTF-8.
        unsafe {
            let start = (functions()?.utf8)(self.pointer.as_ptr(), &raw mut length);
            if start.is_null() {
                clear_error();
                return None;
            }
            let bytes = std::slice::from_raw_parts(start.cast::<u8>(), usize::try_from(length).ok()?);
            Some(std::str::from_utf8_unchecked(bytes))
        }
    }

    /// The bytes of a str (as the file system spells it), of bytes, or of a path of pathlib's own classes.
    /// `None` for anything else: asking another object for its path would run the program's code.
    pub fn path(self) -> Option<Cow<'a, [u8]>> {
        if let Some(text) = self.text() {
            return Some(Cow::Borrowed(text.as_bytes()));
        }
        if let Some(bytes) = self.bytes() {
            return Some(Cow::Borrowed(bytes));
        }
        if self.is_subclass(ffi::Py_TPFLAGS_UNICODE_SUBCLASS) {
            // SAFETY: the object is a str.
            let encoded = Owned::new(unsafe { ffi::PyUnicode_EncodeFSDefault(self.pointer.as_ptr()) })?;
            return Some(Cow::Owned(encoded.object().bytes()?.to_vec()));
        }
        self.pathlib_path().or_else(|| self.directory_entry_path()).map(Cow::Owned)
    }

    /// The content of a bytes object.
    pub fn bytes(self) -> Option<&'a [u8]> {
        if !self.is_subclass(ffi::Py_TPFLAGS_BYTES_SUBCLASS) {
            return None;
        }
        // SAFETY: the object is bytes, whose content does not move or change while it lives.
        unsafe {
            let start = ffi::PyBytes_AsString(self.pointer.as_ptr());
            let length = usize::try_from(ffi::PyBytes_Size(self.pointer.as_ptr())).ok()?;
            (!start.is_null()).then(|| std::slice::from_raw_parts(start.cast::<u8>(), length))
        }
    }

    /// The content of a bytearray, which may change from now on.
    pub fn bytearray(self) -> Option<Vec<u8>> {
        // SAFETY: CPython's own class; then the object is a bytearray, and is copied before anything else runs.
        unsafe {
            if ffi::PyType_IsSubtype(ffi::Py_TYPE(self.pointer()), &raw mut ffi::PyByteArray_Type) == 0 {
                return None;
            }
            let start = ffi::PyByteArray_AsString(self.pointer());
            let length = usize::try_from(ffi::PyByteArray_Size(self.pointer())).ok()?;
            (!start.is_null()).then(|| std::slice::from_raw_parts(start.cast::<u8>(), length).to_vec())
        }
    }

    /// An attribute, by ordinary look-up. Only for objects of CPython's own types: others may run Python.
    pub fn attribute(self, name: &CStr) -> Option<Owned> {
        // SAFETY: a live object and a string that ends with NUL.
        Owned::new(unsafe { ffi::PyObject_GetAttrString(self.pointer.as_ptr(), name.as_ptr()) })
    }

    /// What a mapping of CPython's own holds under `name`.
    pub fn mapped(self, name: &CStr) -> Option<Owned> {
        // SAFETY: a live object and a string that ends with NUL.
        Owned::new(unsafe { ffi::PyMapping_GetItemString(self.pointer.as_ptr(), name.as_ptr()) })
    }

    /// Whether this is a code object, whose attributes may be asked for.
    pub fn is_code(self) -> bool {
        static CODE_TYPE: OnceLock<Option<usize>> = OnceLock::new();
        let code_type = CODE_TYPE.get_or_init(|| symbol(c"PyCode_Type").map(<*mut c_void>::addr));
        *code_type == Some(self.class().addr())
    }

    /// Whether it is an instance of the class called `name` in a `module` that the program has loaded, or of a
    /// class derived from it. What the classes themselves say of that is not asked.
    pub fn is_a(self, module: &CStr, name: &CStr) -> bool {
        loaded_class(module, name)
            // SAFETY: both are live classes.
            .is_some_and(
                |class| unsafe { ffi::PyType_IsSubtype(self.class(), class.pointer.as_ptr().cast()) } != 0,
            )
    }

    /// What an instance of a class written in Python holds under `name`, whatever its class makes of that name.
    pub fn held(self, name: &CStr) -> Option<Owned> {
        // SAFETY: a live class. A class as `self` is refused: asked for its dictionary, 3.12 gives a wrong one.
        let is_of_python = unsafe { ffi::PyType_GetFlags(self.class()) } & ffi::Py_TPFLAGS_HEAPTYPE != 0;
        if !is_of_python || self.is_subclass(ffi::Py_TPFLAGS_TYPE_SUBCLASS) {
            return None;
        }
        // SAFETY: gives a new reference, or an error for an instance without a dictionary.
        let all =
            Owned::new(unsafe { (functions()?.instance_dict)(self.pointer.as_ptr(), std::ptr::null_mut()) })?;
        Some(all.object().entry(name)?.keep())
    }

    /// Whether this is a dict.
    pub fn is_dictionary(self) -> bool {
        self.is_subclass(ffi::Py_TPFLAGS_DICT_SUBCLASS)
    }

    /// The value under `name` in a dict; `None` for anything else.
    pub fn entry(self, name: &CStr) -> Option<Object<'a>> {
        if !self.is_subclass(ffi::Py_TPFLAGS_DICT_SUBCLASS) {
            return None;
        }
        // SAFETY: the object is a dict; the value is borrowed from it, and nothing that could change it runs.
        unsafe { Object::borrowed(ffi::PyDict_GetItemString(self.pointer.as_ptr(), name.as_ptr())) }
    }

    fn class(self) -> *mut ffi::PyTypeObject {
        // SAFETY: a live object has a live type.
        unsafe { ffi::Py_TYPE(self.pointer.as_ptr()) }
    }

    fn is_exactly(self, module: &CStr, name: &CStr) -> bool {
        loaded_class(module, name).is_some_and(|class| class.pointer.as_ptr() == self.class().cast())
    }

    /// Whether its class is one of pathlib's own, and not one that only looks like it: what such a class calls
    /// an attribute may be the program's code.
    fn is_of_pathlib(self) -> bool {
        [c"PosixPath", c"PurePosixPath"].into_iter().any(|name| self.is_exactly(c"pathlib", name))
    }

    /// What `os.scandir` gives: its `path` is a plain member.
    fn directory_entry_path(self) -> Option<Vec<u8>> {
        if !self.is_exactly(c"posix", c"DirEntry") {
            return None;
        }
        Some(self.attribute(c"path")?.object().path()?.into_owned())
    }

    /// Reads the slots of pathlib's classes: `_str` once somebody asked for it, before that the parts
    /// (`_raw_paths` since 3.12, `_parts` before). `__fspath__` would do, but it is Python code.
    fn pathlib_path(self) -> Option<Vec<u8>> {
        if !self.is_of_pathlib() {
            return None;
        }
        if let Some(text) = self.attribute(c"_str") {
            return Some(text.object().path()?.into_owned());
        }
        let parts = self.attribute(c"_raw_paths").or_else(|| self.attribute(c"_parts"))?;
        let parts = parts.object();
        let mut path = Vec::new();
        for index in 0..parts.length()? {
            let part = parts.item(index)?.path()?;
            if part.first() == Some(&b'/') {
                path.clear();
            } else if path.last().is_some_and(|last| *last != b'/') {
                path.push(b'/');
            }
            path.extend_from_slice(&part);
        }
        Some(path)
    }
}

fn had_error() -> bool {
    // SAFETY: called with a thread state.
    let is_set = unsafe { !ffi::PyErr_Occurred().is_null() };
    if is_set {
        clear_error();
    }
    is_set
}

/// A module that the program has imported.
fn loaded_module<'a>(name: &CStr) -> Option<Object<'a>> {
    let modules = sys_attribute(c"modules")?;
    // SAFETY: gives null for what is no dict and for a missing key; the module is borrowed, and used at once.
    unsafe { Object::borrowed(ffi::PyDict_GetItemString(modules.pointer.as_ptr(), name.as_ptr())) }
}

/// Whether the program has imported a module, or is about to.
pub fn is_loaded(name: &CStr) -> bool {
    loaded_module(name).is_some()
}

/// What a module that the program has imported holds under `name`. A stand-in for the module is not asked.
fn module_variable<'a>(module: &CStr, name: &CStr) -> Option<Object<'a>> {
    let module = loaded_module(module)?;
    // SAFETY: the type is checked first; the dictionary and what it holds are borrowed, and used at once.
    unsafe {
        if ffi::PyType_IsSubtype(module.class(), &raw mut ffi::PyModule_Type) == 0 {
            return None;
        }
        Object::borrowed(ffi::PyModule_GetDict(module.pointer.as_ptr()))?.entry(name)
    }
}

fn loaded_class<'a>(module: &CStr, name: &CStr) -> Option<Object<'a>> {
    module_variable(module, name).filter(|class| class.is_subclass(ffi::Py_TPFLAGS_TYPE_SUBCLASS))
}

/// A variable of the module `__main__`.
pub fn main_variable<'a>(name: &CStr) -> Option<Object<'a>> {
    module_variable(c"__main__", name)
}

/// The dictionary of the module `sys`.
pub fn sys_dictionary<'a>() -> Option<Object<'a>> {
    let sys = loaded_module(c"sys")?;
    // SAFETY: gives null, with an error, for what is no module; the module keeps its dictionary.
    let dictionary = unsafe { Object::borrowed(ffi::PyModule_GetDict(sys.pointer.as_ptr())) };
    if dictionary.is_none() {
        clear_error();
    }
    dictionary
}

/// An attribute of the module `sys`.
pub fn sys_attribute<'a>(name: &CStr) -> Option<Object<'a>> {
    // SAFETY: the string ends with NUL; the object is borrowed from the module's dictionary, and used at once.
    unsafe { Object::borrowed(ffi::PySys_GetObject(name.as_ptr())) }
}

/// The version of the running interpreter, as `3.12.1`.
pub fn version() -> &'static str {
    static VERSION: OnceLock<String> = OnceLock::new();
    VERSION.get_or_init(|| {
        // SAFETY: a static string that ends with NUL.
        let text = unsafe { CStr::from_ptr(ffi::Py_GetVersion()) }.to_string_lossy();
        text.split_whitespace().next().unwrap_or_default().to_owned()
    })
}
