//! Makes a large spool as a company's machines would leave it, through the product's own writer: what the figures for
//! millions of records are measured on.
//!
//! `cargo run --release -p gnomon-core --example make_spool -- SPOOL [RECORDS [PROCESSES]]`
//!
//! 200 scripts of 50 users on 20 machines run through one week. Most runs are short, a few have most of the records.
//! Each script has files of its own, which it uses three times on average, and one to four hosts; one in five
//! reads salaries, one in ten a key. The same arguments make the same spool.
#![expect(clippy::expect_used, reason = "a bench ends where it cannot write")]

use std::borrow::Cow;
use std::hash::BuildHasher as _;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use gnomon_core::event::{Access, Kind};
use gnomon_core::origin::Origin;
use gnomon_core::process::{Description, Script, hex};
use gnomon_core::record::{Draft, encoded};
use gnomon_core::spool::format::{EXTENSION, NATIVE, TALLIED};
use gnomon_core::spool::listing;
use gnomon_core::spool::reader::SegmentFile;
use gnomon_core::spool::segment::{Change, Head};
use gnomon_core::spool::writer::Writer;
use gnomon_core::startup::{Hook, HookFile, Inventory};
use gnomon_core::text::Bytes;
use gnomon_core::verdict::{Action, Verdict};
use uuid::Uuid;

const SCRIPTS: u64 = 200;
const USERS: u64 = 50;
const HOSTS: u64 = 20;
const ENVIRONMENTS: u64 = 5;
/// 2026-11-16T00:00:00Z, a Monday, and the length of a week.
const MONDAY: u64 = 1_794_787_200_000_000_000;
const WEEK: u64 = 7 * 24 * 3600 * 1_000_000_000;
const PACKAGES: [&str; 24] = [
    "pandas 2.2.3",
    "numpy 2.1.3",
    "requests 2.32.3",
    "urllib3 2.2.3",
    "openai 1.54.0",
    "boto3 1.35.60",
    "botocore 1.35.60",
    "sqlalchemy 2.0.36",
    "psycopg2 2.9.10",
    "pyarrow 18.0.0",
    "scikit-learn 1.5.2",
    "matplotlib 3.9.2",
    "anthropic 0.39.0",
    "httpx 0.27.2",
    "pydantic 2.9.2",
    "rich 13.9.4",
    "openpyxl 3.1.5",
    "paramiko 3.5.0",
    "jinja2 3.1.4",
    "pyyaml 6.0.2",
    "cryptography 43.0.3",
    "certifi 2024.8.30",
    "idna 3.10",
    "pillow 11.0.0",
];
const REMOTE: [(&str, u16); 16] = [
    ("api.openai.com", 443),
    ("api.anthropic.com", 443),
    ("s3.eu-central-1.amazonaws.com", 443),
    ("pypi.org", 443),
    ("files.pythonhosted.org", 443),
    ("db.internal.example.com", 5432),
    ("warehouse.internal.example.com", 5439),
    ("kafka-1.internal.example.com", 9092),
    ("api.github.com", 443),
    ("hooks.slack.com", 443),
    ("login.microsoftonline.com", 443),
    ("metrics.internal.example.com", 9090),
    ("smtp.internal.example.com", 25),
    ("huggingface.co", 443),
    ("cache.internal.example.com", 6379),
    ("paste.example.org", 443),
];
const RULES: [(Action, &str); 4] = [
    (Action::Deny, "organisation/no-paste-sites"),
    (Action::Warn, "organisation/ai-services"),
    (Action::Justify, "finance/payments"),
    (Action::Warn, "finance/hr-data"),
];

fn main() {
    let mut arguments = std::env::args().skip(1);
    let spool = PathBuf::from(arguments.next().expect("usage: make_spool SPOOL [RECORDS [PROCESSES]]"));
    let mut number = |otherwise| arguments.next().map_or(otherwise, |text| text.parse().expect("a number"));
    let (records, processes): (u64, u64) = (number(10_000_000), number(10_000));
    std::fs::create_dir_all(&spool).expect("a directory for the spool");
    let company = Company::new(&spool, records, processes);
    let (next, written) = (AtomicU64::new(0), AtomicU64::new(0));
    let segments = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, std::num::NonZero::get) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= processes {
                        return;
                    }
                    let run = Run::new(&company, index);
                    written.fetch_add(run.write(), Ordering::Relaxed);
                    segments.fetch_add(run.seal(), Ordering::Relaxed);
                }
            });
        }
    });
    let (written, segments) = (written.into_inner(), segments.into_inner());
    println!("{written} records of {processes} processes in {segments} segments");
}

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        let index = self.below(all.len() as u64) as usize;
        *all.get(index).expect("there is one")
    }
}

/// What the runs have in common.
struct Company<'a> {
    spool: &'a Path,
    records: u64,
    processes: u64,
    /// By environment: the file that lists what is installed there, and the one that lists its hooks.
    listings: Vec<String>,
    inventories: Vec<String>,
}

impl<'a> Company<'a> {
    fn new(spool: &'a Path, records: u64, processes: u64) -> Self {
        let listing = |environment| {
            let named = PACKAGES.iter().map(|package| package.replace(' ', "-"));
            let more = (0..276).map(|number| format!("some_package_{number}-{environment}.{number}.0"));
            let names: Vec<String> = named.chain(more).collect();
            listing::store(spool, &encoded(&names), MONDAY).expect("a place for a list")
        };
        Self {
            spool,
            records,
            processes,
            listings: (0..ENVIRONMENTS).map(listing).collect(),
            inventories: (0..ENVIRONMENTS).map(|environment| inventory(spool, environment)).collect(),
        }
    }
}

fn prefix(environment: u64) -> String {
    format!("/opt/environments/{environment}")
}

/// Stores what hooks an environment has.
fn inventory(spool: &Path, environment: u64) -> String {
    let site = format!("{}/lib/python3.12/site-packages", prefix(environment));
    let hook = |name: &str| Hook {
        kind: "pth".to_owned(),
        file: HookFile {
            path: Bytes(format!("{site}/{name}").into_bytes()),
            size: 151,
            sha256: Some(hex(&[environment as u8; 32])),
            distribution: Some("setuptools".to_owned()),
            version: Some("75.5.0".to_owned()),
            ..HookFile::default()
        },
        executed: 1,
        ..Hook::default()
    };
    let inventory = Inventory {
        prefix: Bytes(prefix(environment).into_bytes()),
        directories: vec![Bytes(site.clone().into_bytes())],
        hooks: vec![hook("distutils-precedence.pth"), hook("site-wide.pth")],
        ..Inventory::default()
    };
    let name = format!("startup-{environment:032x}.{EXTENSION}");
    listing::store_as(spool, &name, Kind::Startup, &[encoded(&inventory)], MONDAY)
        .expect("a place for hooks");
    name
}

/// One run of a script.
struct Run<'a> {
    company: &'a Company<'a>,
    writer: Writer,
    index: u64,
    script: u64,
    started: u64,
    records: u64,
}

impl<'a> Run<'a> {
    fn new(company: &'a Company<'a>, index: u64) -> Self {
        let mut dice = Dice(index);
        let script = dice.below(SCRIPTS);
        let started = MONDAY + WEEK / company.processes * index + dice.below(1_000_000_000);
        // One run in twenty has ten times the records of the average, four in five a quarter.
        let share = match index % 20 {
            0 => 40,
            1..=3 => 8,
            _ => 1,
        };
        let records = company.records * share / (company.processes * 4);
        let id = identity(index, started);
        let writer = Writer::new(
            company.spool.to_owned(),
            id,
            2000 + index as u32,
            encoded(&description(index, script, started, company)),
        );
        Self { company, writer, index, script, started, records: records.max(8) }
    }

    /// Writes its records, and returns how many.
    fn write(&self) -> u64 {
        let environment = self.script % ENVIRONMENTS;
        let head = |kind, time| Head { kind, flags: 0, time };
        self.writer.open(self.started).expect("a place for segments");
        self.writer.append_to_each(head(Kind::Script, self.started), encoded(&script_of(self.script)));
        let listing = self.company.listings.get(environment as usize).map_or("", String::as_str);
        self.store(
            head(Kind::Distributions, self.started),
            &Draft {
                target: Some(Cow::Owned(
                    format!("{}/lib/python3.12/site-packages", prefix(environment)).into_bytes(),
                )),
                destination: Some(Cow::Borrowed(listing.as_bytes())),
                ..Draft::default()
            },
            1,
            Change::default(),
        );
        let origins: Vec<Origin> = (0..24).map(|number| origin(self.script, number)).collect();
        let mut dice = Dice(self.index << 32);
        let mut time = self.started;
        let events = self.records - 2; // the process and its script are two
        for number in 0..events {
            time += 1 + dice.below(2_000_000);
            self.event(number, time, &origins, &mut dice);
        }
        self.writer.end(time + 1_000_000, Some(i32::from(self.index % 40 == 7)));
        self.records
    }

    fn event(&self, number: u64, time: u64, origins: &[Origin], dice: &mut Dice) {
        let imports = (self.records / 5).min(120);
        let origin = Some(origins.get(dice.below(24) as usize).expect("there are as many"));
        let mut draft = Draft { origin, ..Draft::default() };
        let mut change = Change { reached: 1, ..Change::default() };
        let kind = match if number < imports { 0 } else { 1 + dice.below(100) } {
            0 => {
                change.reached = 0;
                import(&mut draft, self.script % ENVIRONMENTS, number)
            }
            1..=8 => remote(&mut draft, &mut change, self.host(dice), dice),
            9..=12 => {
                let (host, _) = self.host(dice);
                draft.target =
                    Some(Cow::Owned(format!("https://{host}/v1/items/{}", dice.below(50)).into_bytes()));
                draft.detail = Some(Cow::Borrowed(b"GET"));
                draft.host = Some(Cow::Borrowed(host));
                draft.port = Some(443);
                change.reached = 0;
                Kind::Http
            }
            13..=14 => {
                draft.target = Some(Cow::Borrowed(b"/usr/bin/git"));
                draft.argv = None;
                Kind::Spawn
            }
            15..=19 => self.file(&mut draft, Kind::List, dice),
            20..=23 => self.file(&mut draft, Kind::Delete, dice),
            choice => {
                draft.access = if choice < 45 { Access::WRITE.with(Access::CREATE) } else { Access::READ };
                let bytes = dice.below(1 << 20);
                (change.bytes_out, change.bytes_in) = if choice < 45 { (bytes, 0) } else { (0, bytes) };
                change.errno = if choice == 99 { 2 } else { 0 };
                self.file(&mut draft, Kind::Open, dice)
            }
        };
        if dice.below(500) == 0 {
            let (action, rule) = dice.one_of(&RULES);
            draft.verdict = Some(Verdict {
                action,
                rule: Some(rule),
                is_stopped: action == Action::Deny,
                reason: (action == Action::Justify).then_some("ticket 4711"),
                shadow: None,
            });
        }
        let is_native = dice.below(10) == 0;
        let flags = if kind.has_answer() { TALLIED | if is_native { NATIVE } else { 0 } } else { 0 };
        let count = if dice.below(4) == 0 { 1 + dice.below(30) } else { 1 };
        self.store(Head { kind, flags, time }, &draft, count, change);
    }

    /// One of the files that the script works with, in the directory of its team.
    fn file(&self, draft: &mut Draft<'_>, kind: Kind, dice: &mut Dice) -> Kind {
        let (team, set, part) = (self.script % 12, dice.below(8), dice.below(self.records / 4 + 20));
        let path = format!("/data/team-{team}/script-{}/set-{set}/part-{part:05}.parquet", self.script);
        let path = match dice.below(200) {
            0 if self.script.is_multiple_of(5) => format!("/data/hr/salaries-{}.csv", part % 12),
            1 if self.script % 10 == 3 => format!("/home/user{:02}/.ssh/id_ed25519", self.script % USERS),
            _ => path,
        };
        draft.target = Some(Cow::Owned(path.into_bytes()));
        kind
    }

    /// One of the one to four hosts that the script talks to.
    fn host(&self, dice: &mut Dice) -> (&'static str, u16) {
        let chosen = self.script * 7 + dice.below(1 + self.script % 4) * 5;
        *REMOTE.get((chosen % REMOTE.len() as u64) as usize).expect("there is one")
    }

    fn store(&self, head: Head, draft: &Draft<'_>, count: u64, change: Change) {
        let hasher = foldhash::fast::FixedState::default();
        self.writer
            .with_segment(head.time, |segment| {
                let place = draft.append(head, segment, None, |text| hasher.hash_one(text))?;
                (1..count).for_each(|repeat| {
                    segment.repeat(place, head.time + repeat * 1000);
                });
                segment.tally(place, &change);
                Ok(())
            })
            .expect("room for a record");
    }

    /// Gives back what its last segment did not use, as `gnomon keep` does. Returns how many segments it has.
    fn seal(self) -> usize {
        let id = self.writer.process().as_simple().to_string();
        let last = self.writer.current().map_or(0, |segment| segment.identity().number);
        let path = self.company.spool.join(format!("{id}-{last:04}.{EXTENSION}"));
        let used = SegmentFile::load(&path).expect("a segment").used_bytes();
        let file = std::fs::File::options().write(true).open(path).expect("a segment");
        file.set_len(used as u64).expect("a segment that can be cut");
        last as usize + 1
    }
}

fn identity(index: u64, started: u64) -> Uuid {
    let mut random = [0; 10];
    let mut dice = Dice(index ^ 0x5EED);
    random.iter_mut().for_each(|byte| *byte = dice.next() as u8);
    uuid::Builder::from_unix_timestamp_millis(started / 1_000_000, &random).into_uuid()
}

fn user_of(script: u64) -> String {
    format!("user{:02}", script % USERS)
}

fn script_file(script: u64) -> String {
    format!("/srv/teams/{}/script_{script}.py", user_of(script))
}

fn description(index: u64, script: u64, started: u64, company: &Company<'_>) -> Description {
    let environment = script % ENVIRONMENTS;
    let python = format!("{}/bin/python", prefix(environment));
    let host = index % HOSTS;
    Description {
        role: "python".to_owned(),
        pid: 2000 + index as u32,
        parent_pid: 900,
        started_ticks: 100_000 + index,
        parent_started_ticks: 50,
        parent_name: Bytes(if index.is_multiple_of(3) { "cron" } else { "bash" }.into()),
        uid: 1000 + (script % USERS) as u32,
        user: user_of(script),
        host: format!("host-{host:02}.example.com"),
        machine: format!("{host:032x}"),
        boot: format!("{host:08x}-0000-4000-8000-000000000000"),
        executable: Bytes(python.clone().into_bytes()),
        python: "3.12.7".to_owned(),
        implementation: "cpython".to_owned(),
        environment: Bytes(prefix(environment).into_bytes()),
        argv: vec![Bytes(python.into_bytes()), Bytes(script_file(script).into_bytes())],
        directory: Bytes(format!("/srv/teams/{}", user_of(script)).into_bytes()),
        started,
        gnomon: env!("CARGO_PKG_VERSION").to_owned(),
        hook_proven: Some(true),
        native: Some("on".to_owned()),
        startup: company.inventories.get(environment as usize).cloned(),
        loaded: Some("start".to_owned()),
        managed: index.is_multiple_of(2),
        ..Description::default()
    }
}

fn script_of(script: u64) -> Script {
    let file = Bytes(script_file(script).into_bytes());
    Script {
        form: "file".to_owned(),
        name: file.clone(),
        file: Some(file),
        sha256: Some(hex(&[script as u8; 32])),
        size: Some(1000 + script),
        owner_uid: Some(1000 + (script % USERS) as u32),
        owner: Some(user_of(script)),
        modified: Some((MONDAY - WEEK).cast_signed()),
        ..Script::default()
    }
}

fn origin(script: u64, number: u64) -> Origin {
    let distribution = PACKAGES.get((script + number) as usize % 40).map(|name| (*name).to_owned());
    let via =
        distribution.as_ref().filter(|_| number.is_multiple_of(4)).map(|_| "requests 2.32.3".to_owned());
    let origin = Origin {
        file: script_file(script).into_bytes(),
        line: 10 + 7 * number as u32,
        function: format!("step_{}", number % 6),
        distribution,
        via,
        ..Origin::default()
    };
    origin.hashed()
}

fn import(draft: &mut Draft<'_>, environment: u64, number: u64) -> Kind {
    let site = format!("{}/lib/python3.12/site-packages", prefix(environment));
    let named = PACKAGES.get(number as usize).and_then(|package| package.split(' ').next());
    let (module, file) = match named {
        Some(name) => {
            let module = name.replace('-', "_");
            let file = format!("{site}/{module}/__init__.py");
            (module, file)
        }
        None => (format!("standard_{number}"), format!("/usr/lib/python3.12/standard_{number}.py")),
    };
    draft.shared_bytes = if named.is_some() { site.len() } else { 0 };
    draft.target = Some(Cow::Owned(module.into_bytes()));
    draft.destination = Some(Cow::Owned(file.into_bytes()));
    Kind::Import
}

fn remote(
    draft: &mut Draft<'_>,
    change: &mut Change,
    (host, port): (&'static str, u16),
    dice: &mut Dice,
) -> Kind {
    draft.host = Some(Cow::Borrowed(host));
    draft.port = Some(port);
    let last = dice.below(4) as u8;
    draft.address = Some(IpAddr::V4(Ipv4Addr::new(203, 0, host.len() as u8, last)));
    if dice.below(3) == 0 {
        return Kind::Resolve;
    }
    (change.bytes_out, change.bytes_in) = (dice.below(1 << 16), dice.below(1 << 18));
    Kind::Connect
}
