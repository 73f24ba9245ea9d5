//! The exceptions that stop an operation: `gnomon.PolicyDenied`, which is also the one that the operation raises when
//! the system refuses it, so that a program's own handling works.
//!
//! The classes are made when the first is asked for, in each interpreter its own, without importing anything: an
//! armed process has not loaded the package `gnomon`. What is to be said is decided elsewhere.
#![expect(
    unsafe_code,
    reason = "makes classes and exceptions with CPython's C API, as the hook cannot use PyO3"
)]

use std::ffi::{CStr, c_char, c_int, c_long, c_void};
use std::ptr::null_mut;

use gnomon_core::event::Kind;
use gnomon_core::policy::judge::Stop;
use pyo3::exceptions::PyMemoryError;
use pyo3::ffi;
use pyo3::prelude::*;

use crate::capi::{Object, Owned};

/// An operation that is stopped, as the program will see it.
pub struct Denial<'a> {
    /// What `str(error)` gives, to the letter.
    pub message: &'a str,
    pub natural: Natural<'a>,
    /// Attributes of the exception besides those that its builtin class has.
    pub fields: &'a [(&'a CStr, &'a str)],
}

/// What the operation raises by itself when it is refused.
#[derive(Clone, Copy)]
pub enum Natural<'a> {
    /// `PermissionError` with `EACCES`.
    Permission { filename: Option<&'a [u8]> },
    /// `ImportError` for a module, and the file that it would come from.
    Import { name: &'a str, path: Option<&'a [u8]> },
}

/// Sets the error indicator for an operation that a policy stops.
pub fn stop(stop: &Stop) {
    let name = String::from_utf8_lossy(&stop.name);
    let file = (!stop.file.is_empty()).then_some(&stop.file[..]);
    let natural = match stop.kind {
        Kind::Import => Natural::Import { name: &name, path: file },
        _ => Natural::Permission { filename: (!stop.name.is_empty()).then_some(&stop.name) },
    };
    let policy = stop.rule.split_once('/').map_or("", |(policy, _)| policy);
    let fields = [
        (c"rule", stop.rule.as_str()),
        (c"policy", policy),
        (c"message", stop.why.as_str()),
        (c"owner", stop.owner.as_str()),
        (c"link", stop.link.as_str()),
    ];
    raise(&Denial { message: &stop.message, natural, fields: &fields });
}

/// Attributes that every `PolicyDenied` has; `None` where the denial does not say.
const FIELDS: [&CStr; 5] = [c"rule", c"policy", c"message", c"owner", c"link"];

const NAME: &CStr = c"gnomon.PolicyDenied";
const DOC: &CStr = c"A policy stopped the operation. Also a PermissionError, or an ImportError for imports.";

/// Where an interpreter keeps the classes, in the dictionary that it has for extensions.
const KEY: &str = "gnomon.denial";

/// Sets the error indicator. An audit hook then returns -1, and the operation raises.
///
/// Where the exception cannot be made, for want of memory, the operation is stopped by the builtin one.
/// Runs no Python, imports nothing and raises no audit event.
pub fn raise(denial: &Denial<'_>) {
    if try_raise(denial).is_none() && try_raise_plainly(denial).is_none() {
        // SAFETY: called with a thread state; the class is CPython's own.
        unsafe { ffi::PyErr_SetNone(denial.natural.builtin()) };
    }
}

/// `gnomon.PolicyDenied`, as Python imports it.
pub fn base(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    let classes = classes().ok_or_else(|| PyMemoryError::new_err(()))?;
    let base = classes.object().item(0).ok_or_else(|| PyMemoryError::new_err(()))?;
    // SAFETY: a live class; the new reference keeps it so.
    Ok(unsafe { Bound::from_borrowed_ptr(py, base.pointer()) })
}

impl Natural<'_> {
    fn builtin(self) -> *mut ffi::PyObject {
        // SAFETY: CPython's own classes are there as long as an interpreter is.
        unsafe {
            match self {
                Self::Permission { .. } => ffi::PyExc_PermissionError,
                Self::Import { .. } => ffi::PyExc_ImportError,
            }
        }
    }

    /// Its place among the classes that [`make`] makes.
    fn place(self) -> usize {
        match self {
            Self::Permission { .. } => 1,
            Self::Import { .. } => 2,
        }
    }
}

fn try_raise(denial: &Denial<'_>) -> Option<()> {
    let classes = classes()?;
    let class = classes.object().item(denial.natural.place())?;
    let message = text(denial.message)?;
    let error = match denial.natural {
        Natural::Permission { filename } => permission_error(class, message.object(), filename)?,
        Natural::Import { name, path } => import_error(class, message.object(), name, path)?,
    };
    for (name, value) in denial.fields.iter().filter(|(_, value)| !value.is_empty()) {
        set(error.object(), name, text(value)?.object())?;
    }
    // SAFETY: an instance of the class; both references are borrowed.
    unsafe { ffi::PyErr_SetObject(class.pointer(), error.object().pointer()) };
    Some(())
}

fn try_raise_plainly(denial: &Denial<'_>) -> Option<()> {
    let message = text(denial.message)?;
    let arguments = match denial.natural {
        Natural::Permission { .. } => tuple(&[access_denied()?.object(), message.object()])?,
        Natural::Import { .. } => tuple(&[message.object()])?,
    };
    // SAFETY: CPython makes the instance of the class and these arguments, which it borrows.
    unsafe { ffi::PyErr_SetObject(denial.natural.builtin(), arguments.object().pointer()) };
    Some(())
}

fn permission_error(class: Object<'_>, message: Object<'_>, filename: Option<&[u8]>) -> Option<Owned> {
    let number = access_denied()?;
    let arguments = match filename {
        Some(path) => tuple(&[number.object(), message, decoded(path)?.object()])?,
        None => tuple(&[number.object(), message])?,
    };
    call(class, &arguments, None)
}

fn import_error(class: Object<'_>, message: Object<'_>, name: &str, path: Option<&[u8]>) -> Option<Owned> {
    // SAFETY: called with a thread state; gives a new reference.
    let keywords = Owned::new(unsafe { ffi::PyDict_New() })?;
    put(keywords.object(), c"name", text(name)?.object())?;
    if let Some(path) = path {
        put(keywords.object(), c"path", decoded(path)?.object())?;
    }
    call(class, &tuple(&[message])?, Some(keywords.object()))
}

/// The interpreter's classes as a tuple: the base, the one for operations, the one for imports.
fn classes() -> Option<Owned> {
    // SAFETY: called with a thread state; the dictionary is borrowed from the interpreter, and is null only
    // where there was no memory for it.
    let kept = unsafe { Object::borrowed(ffi::PyInterpreterState_GetDict(ffi::PyInterpreterState_Get())) }?;
    let key = text(KEY)?;
    // SAFETY: a live dictionary and a str; what is found is borrowed. No memory: an error, which is cleared.
    let found = unsafe { ffi::PyDict_GetItemWithError(kept.pointer(), key.object().pointer()) };
    // SAFETY: as above.
    if let Some(classes) = unsafe { Object::borrowed(found) } {
        return Some(classes.keep());
    }
    let (made, method) = (make()?, text("setdefault")?);
    // To make a class may collect garbage, which may run Python, which may let another thread come here: one
    // of both wins.
    // SAFETY: a live dictionary and live arguments, ended by null.
    Owned::new(unsafe {
        ffi::PyObject_CallMethodObjArgs(
            kept.pointer(),
            method.object().pointer(),
            key.object().pointer(),
            made.object().pointer(),
            null_mut::<ffi::PyObject>(),
        )
    })
}

fn make() -> Option<Owned> {
    // SAFETY: CPython's own objects are there as long as an interpreter is.
    let [exception, permission, import, none] = unsafe {
        [
            Object::borrowed(ffi::PyExc_Exception)?,
            Object::borrowed(ffi::PyExc_PermissionError)?,
            Object::borrowed(ffi::PyExc_ImportError)?,
            Object::borrowed(ffi::Py_None())?,
        ]
    };
    let base = class(&[exception], &[])?;
    for name in FIELDS {
        set(base.object(), name, none)?;
    }
    let reduce = slot(ffi::Py_tp_methods, METHODS.0.as_ptr().cast());
    let as_text = slot(ffi::Py_tp_str, permission_text as *const c_void);
    let permission = class(&[base.object(), permission], &[as_text, reduce])?;
    let import = class(&[base.object(), import], &[reduce])?;
    tuple(&[base.object(), permission.object(), import.object()])
}

fn class(bases: &[Object<'_>], more: &[ffi::PyType_Slot]) -> Option<Owned> {
    let end = slot(0, std::ptr::null());
    let mut slots = [slot(ffi::Py_tp_doc, DOC.as_ptr().cast()), end, end, end];
    for (free, filled) in slots.iter_mut().skip(1).zip(more) {
        *free = *filled;
    }
    let mut specification = ffi::PyType_Spec {
        name: NAME.as_ptr(),
        basicsize: 0, // that of the bases, like all that is not said here
        itemsize: 0,
        flags: (ffi::Py_TPFLAGS_DEFAULT | ffi::Py_TPFLAGS_BASETYPE) as std::ffi::c_uint,
        slots: slots.as_mut_ptr(),
    };
    let bases = tuple(bases)?;
    // SAFETY: the slots end with zero and are copied; the name and the methods, which are not, are static.
    Owned::new(unsafe { ffi::PyType_FromSpecWithBases(&raw mut specification, bases.object().pointer()) })
}

fn slot(number: c_int, value: *const c_void) -> ffi::PyType_Slot {
    ffi::PyType_Slot { slot: number, pfunc: value.cast_mut() }
}

struct Methods([ffi::PyMethodDef; 2]);

// SAFETY: never written to.
unsafe impl Sync for Methods {}

static METHODS: Methods = Methods([
    ffi::PyMethodDef {
        ml_name: c"__reduce__".as_ptr(),
        ml_meth: ffi::PyMethodDefPointer { PyCFunction: reduce },
        ml_flags: ffi::METH_NOARGS,
        ml_doc: std::ptr::null(),
    },
    ffi::PyMethodDef::zeroed(),
]);

/// `__str__` of a denied operation: without the number and the file name that `OSError` puts around the message,
/// which names both where that helps.
///
/// # Safety
/// Called by CPython with an instance of the class.
unsafe extern "C" fn permission_text(error: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: CPython keeps `error` alive during this call.
    let message = unsafe { Object::borrowed(error) }.and_then(|error| error.attribute(c"strerror"));
    // SAFETY: a live object.
    given(message.and_then(|message| Owned::new(unsafe { ffi::PyObject_Str(message.object().pointer()) })))
}

/// `__reduce__`: copies and pickles are of the builtin class, as who loads them may have no gnomon.
///
/// # Safety
/// Called by CPython with an instance of one of the two classes that have it.
unsafe extern "C" fn reduce(error: *mut ffi::PyObject, _: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: CPython keeps `error` alive during this call.
    given(unsafe { Object::borrowed(error) }.and_then(reduced))
}

/// What the builtin class makes of `error`, with that class in the first place.
fn reduced(error: Object<'_>) -> Option<Owned> {
    // SAFETY: live objects; the format says that one of them is the argument.
    let (class, reduced) = unsafe {
        let class = ffi::PyExc_PermissionError;
        let is_permission = ffi::PyType_IsSubtype(ffi::Py_TYPE(error.pointer()), class.cast()) != 0;
        let class = if is_permission { class } else { ffi::PyExc_ImportError };
        let method = c"__reduce__".as_ptr();
        (
            Object::borrowed(class)?,
            Owned::new(ffi::PyObject_CallMethod(class, method, c"(O)".as_ptr(), error.pointer()))?,
        )
    };
    let parts = (1..reduced.object().length()?).filter_map(|place| reduced.object().item(place));
    tuple(&std::iter::once(class).chain(parts).collect::<Vec<_>>())
}

/// A result for CPython. What is missing is so for want of memory.
fn given(result: Option<Owned>) -> *mut ffi::PyObject {
    // SAFETY: called with a thread state; gives null.
    result.map_or_else(|| unsafe { ffi::PyErr_NoMemory() }, Owned::into_pointer)
}

fn call(class: Object<'_>, arguments: &Owned, keywords: Option<Object<'_>>) -> Option<Owned> {
    let keywords = keywords.map_or(null_mut(), Object::pointer);
    // SAFETY: a class, a tuple, and a dict or null.
    Owned::new(unsafe { ffi::PyObject_Call(class.pointer(), arguments.object().pointer(), keywords) })
}

fn tuple(items: &[Object<'_>]) -> Option<Owned> {
    // SAFETY: called with a thread state; the tuple is new, so its places may be filled.
    let made = Owned::new(unsafe { ffi::PyTuple_New(items.len().try_into().ok()?) })?;
    for (place, item) in (0..).zip(items) {
        // SAFETY: the place is within; the tuple takes over a reference of its own.
        unsafe {
            ffi::Py_IncRef(item.pointer());
            ffi::PyTuple_SetItem(made.object().pointer(), place, item.pointer());
        }
    }
    Some(made)
}

fn access_denied() -> Option<Owned> {
    // SAFETY: called with a thread state; gives a new reference.
    Owned::new(unsafe { ffi::PyLong_FromLong(c_long::from(libc::EACCES)) })
}

fn text(text: &str) -> Option<Owned> {
    let length = text.len().try_into().ok()?;
    // SAFETY: so many bytes are there, and are UTF-8.
    Owned::new(unsafe { ffi::PyUnicode_FromStringAndSize(text.as_ptr().cast::<c_char>(), length) })
}

/// A path as Python spells it: bytes that are no text become lone surrogates.
fn decoded(path: &[u8]) -> Option<Owned> {
    let length = path.len().try_into().ok()?;
    // SAFETY: so many bytes are there.
    Owned::new(unsafe { ffi::PyUnicode_DecodeFSDefaultAndSize(path.as_ptr().cast::<c_char>(), length) })
}

fn set(object: Object<'_>, name: &CStr, value: Object<'_>) -> Option<()> {
    // SAFETY: live objects and a string that ends with NUL.
    succeeded(unsafe { ffi::PyObject_SetAttrString(object.pointer(), name.as_ptr(), value.pointer()) })
}

fn put(dictionary: Object<'_>, name: &CStr, value: Object<'_>) -> Option<()> {
    // SAFETY: a live dict, a string that ends with NUL, a live value.
    succeeded(unsafe { ffi::PyDict_SetItemString(dictionary.pointer(), name.as_ptr(), value.pointer()) })
}

fn succeeded(status: c_int) -> Option<()> {
    if status == 0 {
        return Some(());
    }
    // SAFETY: called with a thread state.
    unsafe { ffi::PyErr_Clear() };
    None
}
