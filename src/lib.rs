//! What Python sees: an export list.
//!
//! Two modules in one library. `_arm` is what interpreter start loads: it arms and holds nothing, and costs
//! a few microseconds. `_native` is what `import gnomon` uses to read spools.

#![cfg_attr(not(redirects), allow(dead_code, unused_imports, reason = "what only the redirection asks for"))]

mod capi;
mod characters;
mod decode;
mod denial;
mod early_hook;
mod ending;
mod enforcement;
mod environment;
mod errors;
mod explained;
mod fold;
mod fork;
mod frames;
mod hook;
mod hook_places;
mod integrity;
mod inventories;
mod justify;
mod keeping;
mod lines;
mod live;
mod machine;
mod memory;
mod next;
mod notebooks;
mod notice;
mod policies;
mod preload;
mod presence;
#[cfg(debug_assertions)]
mod probe;
mod reader;
mod recording;
#[cfg(redirects)]
mod redirect;
#[cfg(not(redirects))]
#[path = "redirect/elsewhere.rs"]
mod redirect;
mod replayed;
mod rows;
mod session;
mod stack;
mod start;
mod startup;
mod streams;
mod thread;
mod toml;
mod watcher;

use pyo3::prelude::*;

/// Reads spools, and records for `gnomon run`.
#[pymodule(gil_used = false)]
mod _native {
    #[pymodule_export]
    use crate::enforcement::{enforce, pulse, release, rule_texts};
    #[pymodule_export]
    use crate::explained::{
        ExampleOutcome, Explanation, PolicyCheck, RuleOutcome, explain_policies, test_policy,
    };
    #[pymodule_export]
    use crate::fold::{FileUses, Fold};
    #[pymodule_export]
    use crate::inventories::{Hook, HookFile, Startup};
    #[pymodule_export]
    use crate::keeping::{Examined, Keeper, examine_segment};
    #[pymodule_export]
    use crate::live::{Live, LiveProcess, Look};
    #[pymodule_export]
    use crate::machine::machine_spool;
    #[pymodule_export]
    use crate::policies::{Problem, check_policy, compile_policy, policy_rules};
    #[pymodule_export]
    use crate::preload::preload_library;
    #[pymodule_export]
    use crate::reader::{
        Fault, Process, Record, Records, Run, Segment, Spool, Tail, columns, doubles, reads_frames, seal,
    };
    #[pymodule_export]
    use crate::recording::{begin_part, process_id, recording, start, stop};
    #[cfg(redirects)]
    #[pymodule_export]
    use crate::redirect::examined::examine;
    #[pymodule_export]
    use crate::replayed::{Replay, ReplayFinding, ReplayScript, replay_policy};
    #[pymodule_export]
    use crate::streams::{RecordStream, Table, Tables};
    #[pymodule_export]
    use crate::toml::read_toml;

    use super::{Bound, PyModule, PyModuleMethods as _, PyResult, denial};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("PolicyDenied", denial::base(module.py())?)
    }
}
