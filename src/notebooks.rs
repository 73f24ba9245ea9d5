//! What a notebook's cells are called: by the notebook and the number that Jupyter shows beside them.
//!
//! ipykernel compiles a cell under a file name that no file has, made of the cell's text. Its number is the
//! length of `In`, the list of inputs that IPython keeps among the program's names.

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use gnomon_core::origin::is_cell;
use parking_lot::Mutex;

use crate::capi::main_variable;

/// Numbers of the cells that ran, by file name. Only ever tried.
static CELLS: Mutex<Option<HashMap<Vec<u8>, usize>>> = Mutex::new(None);
/// Counts how often a cell got a new number.
static GENERATION: AtomicU64 = AtomicU64::new(0);

/// A number that changes whenever a cell is called otherwise than before.
pub fn generation() -> u64 {
    GENERATION.load(Relaxed)
}

/// Notes that code from `file` is about to run, if that is a cell.
pub fn runs(file: &[u8]) {
    if is_cell(file)
        && let Some(number) = current_number()
        && let Some(mut cells) = CELLS.try_lock()
    {
        let before = cells.get_or_insert_default().insert(file.to_vec(), number);
        if before != Some(number) {
            GENERATION.fetch_add(1, Relaxed);
        }
    }
}

/// What to call the cell `file`: `/home/ann/sales.ipynb[3]`. `None` for what is no cell, and for a cell that was
/// not seen to run, which only Python knows: it is not asked without the GIL.
pub fn name_of(file: &[u8], has_gil: bool) -> Option<Vec<u8>> {
    if !is_cell(file) {
        return None;
    }
    let known = CELLS.try_lock().and_then(|cells| cells.as_ref()?.get(file).copied());
    let number = number_in_name(file).or(known).or_else(|| has_gil.then(current_number)?)?;
    let notebook = std::env::var_os("JPY_SESSION_NAME").filter(|name| name.as_bytes().ends_with(b".ipynb"));
    let notebook = notebook.as_ref().map_or(&b"notebook"[..], |name| name.as_bytes());
    Some([notebook, format!("[{number}]").as_bytes()].concat())
}

/// `<ipython-input-3-0a1b>`, as IPython in a terminal calls its inputs.
fn number_in_name(file: &[u8]) -> Option<usize> {
    let rest = file.strip_prefix(b"<ipython-input-")?;
    let digits = rest.split(|byte| *byte == b'-').next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn current_number() -> Option<usize> {
    main_variable(c"In")?.length()?.checked_sub(1)
}
