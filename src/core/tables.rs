//! What a spool says of its processes as Arrow tables: the same that Python has as objects, for query engines.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::{
    ArrayRef, ArrowPrimitiveType, BooleanArray, PrimitiveArray, RecordBatch, StringArray,
    TimestampNanosecondArray,
    types::{Int32Type, UInt32Type, UInt64Type},
};
use arrow_schema::ArrowError;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::distributions::normalised;
use crate::filter::Filter;
use crate::process::{Script, hex};
use crate::spool::fault::Fault;
use crate::spool::processes::{Installed, ProcessSummary, StartupFile, Summary, name_and_version};
use crate::startup::{Hook, HookFile};
use crate::text::{Bytes, push_escaped};

/// The tables of a spool, read in one pass.
#[derive(Clone, Debug)]
pub struct Tables {
    /// A row for each process, in the order they started.
    pub processes: RecordBatch,
    /// What was installed: a row for each distribution of each `inventory` that processes refer to.
    pub distributions: RecordBatch,
    /// Records that processes lost, by reason.
    pub losses: RecordBatch,
    /// What could not be read.
    pub faults: RecordBatch,
    /// What ran before the programs, by the paths that processes refer to it by.
    pub startups: RecordBatch,
    /// Its files.
    pub hooks: RecordBatch,
}

impl Tables {
    /// Reads the segments of `spool` that `filter` can ask for.
    ///
    /// # Errors
    /// The directory cannot be listed.
    pub fn read(spool: &Path, filter: &Filter) -> io::Result<Self> {
        Self::of(&Summary::read(spool, filter)?).map_err(|error| io::Error::other(error.to_string()))
    }

    fn of(summary: &Summary) -> Result<Self, ArrowError> {
        let mut inventories = Inventories::default();
        let keys: Vec<Option<Arc<str>>> =
            summary.processes.iter().map(|process| inventories.key(&process.distributions)).collect();
        let faults: Vec<&Fault> = summary.faults.iter().chain(&summary.startup_faults).collect();
        Ok(Self {
            processes: processes(&summary.processes, &keys)?,
            distributions: distributions(&inventories)?,
            losses: losses(&summary.processes)?,
            faults: fault_table(&faults)?,
            startups: startups(&summary.startups)?,
            hooks: hooks(&summary.startups)?,
        })
    }
}

/// What is installed in the library directories of processes; most have the same as others.
#[derive(Default)]
struct Inventories<'a> {
    keys: HashMap<Vec<u8>, Arc<str>>,
    all: Vec<(Arc<str>, &'a [Installed])>,
}

impl<'a> Inventories<'a> {
    /// The key of `installed`: told by directories and files, so that it is the same in every reading.
    fn key(&mut self, installed: &'a [Installed]) -> Option<Arc<str>> {
        let mut parts: Vec<[&[u8]; 2]> = installed
            .iter()
            .map(|installed| [installed.directory.as_slice(), installed.file.as_os_str().as_bytes()])
            .collect();
        parts.sort_unstable();
        let text = parts.iter().flatten().fold(Vec::new(), |text, part| [&text, *part, b"\0"].concat());
        if text.is_empty() {
            return None;
        }
        let known = self.keys.entry(text).or_insert_with_key(|text| {
            let key: Arc<str> = hex(Sha256::digest(text).get(..16).unwrap_or_default()).into();
            self.all.push((Arc::clone(&key), installed));
            key
        });
        Some(Arc::clone(known))
    }
}

fn processes(rows: &[ProcessSummary], inventories: &[Option<Arc<str>>]) -> Result<RecordBatch, ArrowError> {
    type Row = ProcessSummary;
    fn script(row: &Row) -> Option<&Script> {
        row.script.as_ref()
    }
    let id = |id: Uuid| Some(Cow::Owned(id.as_hyphenated().to_string()));
    let inventories: StringArray = inventories.iter().map(Option::as_deref).collect();
    Table::of(rows)
        .text("id", |row| id(row.id))
        .text("role", |row| word(&row.description.role))
        .text("parent", |row| row.description.parent.and_then(id))
        .text("run", |row| row.description.run.and_then(id))
        .number::<UInt32Type>("pid", |row| Some(row.pid))
        .number::<UInt32Type>("parent_pid", |row| Some(row.description.parent_pid))
        .number::<UInt64Type>("started_ticks", |row| Some(row.description.started_ticks))
        .number::<UInt64Type>("parent_started_ticks", |row| Some(row.description.parent_started_ticks))
        .text("parent_name", |row| bytes(&row.description.parent_name))
        .flag("forked", |row| Some(row.description.forked))
        .flag("hook_proven", |row| row.description.hook_proven)
        .text("native", |row| row.description.native.as_deref().and_then(word))
        .text("startup", |row| row.startup_file().map(|path| path_text(&path)))
        .text("loaded", |row| row.description.loaded.as_deref().and_then(word))
        .flag("managed", |row| Some(row.description.managed))
        .number::<UInt32Type>("uid", |row| Some(row.description.uid))
        .text("user", |row| word(&row.description.user))
        .text("host", |row| word(&row.description.host))
        .text("machine", |row| word(&row.description.machine))
        .text("boot", |row| word(&row.description.boot))
        .text("executable", |row| bytes(&row.description.executable))
        .text("python", |row| word(&row.description.python))
        .text("implementation", |row| word(&row.description.implementation))
        .text("environment", |row| {
            let environment = &row.description.environment;
            bytes(environment).filter(|_| !environment.0.is_empty())
        })
        .texts("argv", |row| &row.description.argv)
        .text("directory", |row| bytes(&row.description.directory))
        .time("started", |row| Some(row.description.started.cast_signed()))
        .time("ended", |row| row.ended.map(u64::cast_signed))
        .time("last_seen", |row| Some(row.last_seen.cast_signed()))
        .number::<Int32Type>("status", |row| row.status)
        .text("script_form", |row| word(&script(row)?.form))
        .text("script", |row| bytes(&script(row)?.name))
        .text("script_file", |row| bytes(script(row)?.file.as_ref()?))
        .text("script_sha256", |row| word(script(row)?.sha256.as_deref()?))
        .number::<UInt64Type>("script_size", |row| script(row)?.size)
        .text("script_owner", |row| word(script(row)?.owner.as_deref()?))
        .number::<UInt32Type>("script_owner_uid", |row| script(row)?.owner_uid)
        .time("script_modified", |row| script(row)?.modified)
        .number::<UInt32Type>("segments", |row| Some(row.segments))
        .number::<UInt64Type>("records", |row| Some(row.records))
        .text("gnomon", |row| word(&row.description.gnomon))
        .number::<UInt32Type>("owner_uid", |row| row.owner_uid)
        .flag("is_forged", |row| Some(row.is_forged))
        .with("inventory", Arc::new(inventories))
        .batch()
}

fn distributions(inventories: &Inventories<'_>) -> Result<RecordBatch, ArrowError> {
    let all = inventories.all.iter().flat_map(|(key, installed)| {
        installed.iter().flat_map(move |installed| {
            installed.names.iter().map(move |entry| (key, installed, name_and_version(entry)))
        })
    });
    let rows: Vec<_> = all.collect();
    Table::of(&rows)
        .text("inventory", |(key, ..)| word(key))
        .text("directory", |(_, installed, _)| Some(escaped(&installed.directory)))
        .text("name", |(.., (name, _))| word(name))
        .text("version", |(.., (_, version))| word(version))
        .text("distribution", |(.., (name, _))| Some(Cow::Owned(normalised(name))))
        .batch()
}

fn losses(processes: &[ProcessSummary]) -> Result<RecordBatch, ArrowError> {
    let all = processes.iter().flat_map(|process| process.lost.iter().map(move |lost| (process.id, lost)));
    let rows: Vec<_> = all.collect();
    Table::of(&rows)
        .text("process", |(id, _)| Some(Cow::Owned(id.as_hyphenated().to_string())))
        .text("reason", |(_, (reason, _))| word(reason.name()))
        .number::<UInt64Type>("count", |(_, (_, count))| Some(*count))
        .batch()
}

fn fault_table(rows: &[&Fault]) -> Result<RecordBatch, ArrowError> {
    Table::of(rows)
        .text("path", |fault| Some(path_text(&fault.path)))
        .number::<UInt64Type>("offset", |fault| Some(fault.offset))
        .text("kind", |fault| word(fault.kind.name()))
        .text("severity", |fault| word(fault.kind.severity()))
        .text("detail", |fault| word(&fault.detail))
        .batch()
}

fn startups(rows: &[StartupFile]) -> Result<RecordBatch, ArrowError> {
    Table::of(rows)
        .text("startup", |row| Some(path_text(&row.path)))
        .time("created", |row| Some(row.created.cast_signed()))
        .text("prefix", |row| bytes(&row.inventory.prefix))
        .flag("has_user_site", |row| Some(row.inventory.has_user_site))
        .texts("directories", |row| &row.inventory.directories)
        .number::<UInt64Type>("unseen", |row| Some(row.inventory.unseen))
        .batch()
}

/// A file of an inventory: a hook, or a module that the lines of `hook` import.
struct HookRow<'a> {
    startup: &'a StartupFile,
    hook: &'a Hook,
    module: Option<&'a HookFile>,
}

impl<'a> HookRow<'a> {
    fn file(&self) -> &'a HookFile {
        self.module.unwrap_or(&self.hook.file)
    }

    /// The hook, where the row is about it.
    fn itself(&self) -> Option<&'a Hook> {
        self.module.is_none().then_some(self.hook)
    }
}

fn hooks(startups: &[StartupFile]) -> Result<RecordBatch, ArrowError> {
    let mut rows: Vec<HookRow<'_>> = Vec::new();
    for startup in startups {
        for hook in &startup.inventory.hooks {
            let files = std::iter::once(None).chain(hook.modules.iter().map(Some));
            rows.extend(files.map(|module| HookRow { startup, hook, module }));
        }
    }
    Table::of(&rows)
        .text("startup", |row| Some(path_text(&row.startup.path)))
        .text("kind", |row| row.itself().map_or(Some(Cow::Borrowed("module")), |hook| word(&hook.kind)))
        .text("path", |row| bytes(&row.file().path))
        .text("imported_by", |row| row.module.and_then(|_| bytes(&row.hook.file.path)))
        .text("target", |row| bytes(row.itself()?.target.as_ref()?))
        .number::<UInt64Type>("executed", |row| Some(row.itself()?.executed))
        .texts("lines", |row| row.itself().map_or(&[], |hook| &hook.lines))
        .number::<UInt64Type>("size", |row| Some(row.file().size))
        .time("modified", |row| Some(row.file().modified))
        .time("changed", |row| Some(row.file().changed))
        .number::<UInt64Type>("inode", |row| Some(row.file().inode))
        .number::<UInt32Type>("mode", |row| Some(row.file().mode))
        .number::<UInt32Type>("owner_uid", |row| Some(row.file().owner_uid))
        .text("sha256", |row| word(row.file().sha256.as_deref()?))
        .text("distribution", |row| word(row.file().distribution.as_deref()?))
        .text("version", |row| word(row.file().version.as_deref()?))
        .flag("is_as_installed", |row| row.file().is_as_installed)
        .text("problem", |row| word(row.file().problem.as_deref()?))
        .flag("is_own", |row| Some(row.hook.is_own))
        .batch()
}

/// A table that is put together column by column.
struct Table<'a, T> {
    rows: &'a [T],
    columns: Vec<(&'static str, ArrayRef, bool)>,
}

impl<'a, T> Table<'a, T> {
    fn of(rows: &'a [T]) -> Self {
        Self { rows, columns: Vec::new() }
    }

    fn with(mut self, name: &'static str, column: ArrayRef) -> Self {
        self.columns.push((name, column, true));
        self
    }

    fn text(self, name: &'static str, of: impl Fn(&'a T) -> Option<Cow<'a, str>>) -> Self {
        let column: StringArray = self.rows.iter().map(of).collect();
        self.with(name, Arc::new(column))
    }

    fn texts(self, name: &'static str, of: impl Fn(&'a T) -> &'a [Bytes]) -> Self {
        let mut column = ListBuilder::new(StringBuilder::new());
        for row in self.rows {
            of(row).iter().for_each(|text| column.values().append_value(escaped(&text.0)));
            column.append(true);
        }
        self.with(name, Arc::new(column.finish()))
    }

    fn number<N: ArrowPrimitiveType>(
        self,
        name: &'static str,
        of: impl Fn(&'a T) -> Option<N::Native>,
    ) -> Self {
        let column: PrimitiveArray<N> = self.rows.iter().map(of).collect();
        self.with(name, Arc::new(column))
    }

    /// Nanoseconds since 1970, UTC.
    fn time(self, name: &'static str, of: impl Fn(&'a T) -> Option<i64>) -> Self {
        let column: TimestampNanosecondArray = self.rows.iter().map(of).collect();
        self.with(name, Arc::new(column.with_timezone("UTC")))
    }

    fn flag(self, name: &'static str, of: impl Fn(&'a T) -> Option<bool>) -> Self {
        let column: BooleanArray = self.rows.iter().map(of).collect();
        self.with(name, Arc::new(column))
    }

    fn batch(self) -> Result<RecordBatch, ArrowError> {
        RecordBatch::try_from_iter_with_nullable(self.columns)
    }
}

#[expect(clippy::unnecessary_wraps, reason = "what a column takes")]
fn word(text: &str) -> Option<Cow<'_, str>> {
    Some(Cow::Borrowed(text))
}

#[expect(clippy::unnecessary_wraps, reason = "what a column takes")]
fn bytes(text: &Bytes) -> Option<Cow<'_, str>> {
    Some(escaped(&text.0))
}

fn path_text(path: &Path) -> Cow<'static, str> {
    Cow::Owned(escaped(path.as_os_str().as_bytes()).into_owned())
}

/// `bytes` as text; what is no UTF-8 appears as `\xNN`.
fn escaped(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => {
            let mut text = String::new();
            push_escaped(&mut text, bytes);
            Cow::Owned(text)
        }
    }
}
