//! A spool of each released format stays readable for ever: `golden/vN.gnomon` and what it says.
//! `v1-verdicts` is what policies add to it.
//!
//! `cargo test -p gnomon-core --test golden -- --ignored` writes the newest one anew.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::borrow::Cow;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use gnomon_core::columns::for_each_event;
use gnomon_core::event::{Access, Kind};
use gnomon_core::filter::Filter;
use gnomon_core::origin::Origin;
use gnomon_core::process::{Description, Script};
use gnomon_core::record::{Draft, View, encoded};
use gnomon_core::spool::format::{Identity, Loss};
use gnomon_core::spool::map::Medium;
use gnomon_core::spool::reader::SegmentFile;
use gnomon_core::spool::segment::{Head, Segment};
use gnomon_core::text::Bytes;
use gnomon_core::verdict::{Action, Verdict};
use uuid::Uuid;

const PROCESS: Uuid = Uuid::from_u128(0x01a2_0000_0000_7000_8000_0000_0000_0001);

fn text(text: &str) -> Bytes {
    Bytes(text.as_bytes().to_vec())
}

fn described() -> (Description, Script) {
    let description = Description {
        role: "python".to_owned(),
        parent: Some(Uuid::from_u128(7)),
        pid: 4711,
        parent_pid: 1,
        started_ticks: 123,
        parent_name: text("bash"),
        uid: 1000,
        user: "ann".to_owned(),
        host: "laptop".to_owned(),
        executable: text("/usr/bin/python3"),
        python: "3.12.1".to_owned(),
        argv: vec![text("python3"), Bytes(b"odd-\xff.py".to_vec())],
        directory: text("/home/ann"),
        started: 1_000_000_000,
        ..Description::default()
    };
    let script = Script {
        form: "file".to_owned(),
        name: text("report.py"),
        file: Some(text("/home/ann/report.py")),
        sha256: Some("ab".repeat(32)),
        size: Some(9),
        modified: Some(-1),
        ..Script::default()
    };
    (description, script)
}

fn path(text: &str) -> Option<Cow<'_, [u8]>> {
    Some(Cow::Borrowed(text.as_bytes()))
}

/// One record of every shape that the writer makes without a policy.
fn write(file: &Path) {
    let argv = [Cow::Borrowed(&b"true"[..]), Cow::Borrowed(&b"\xff"[..])];
    let full = Origin {
        file: b"/home/ann/reports/odd-\xff.py".to_vec(),
        line: 12,
        function: "Report.load".to_owned(),
        distribution: Some("urllib3".to_owned()),
        via: Some("requests".to_owned()),
        ..Origin::default()
    };
    let library = Origin { distribution: Some("pytest".to_owned()), ..Origin::default() };
    let drafts = [
        (
            Kind::Import,
            Draft {
                target: path("pandas"),
                destination: path("/venv/lib/python3.12/site-packages/pandas/__init__.py"),
                shared_bytes: 35,
                ..Draft::default()
            },
        ),
        (
            Kind::Open,
            Draft {
                access: Access::READ.with(Access::WRITE),
                target: path("/home/ann/reports/data.csv"),
                requested: path("reports/data.csv"),
                ..Draft::default()
            },
        ),
        (
            Kind::Rename,
            Draft {
                target: path("/home/ann/reports/data.csv"),
                destination: path("/home/ann/reports/old.csv"),
                requested: path("../ann/reports/data.csv"),
                ..Draft::default()
            },
        ),
        (Kind::Delete, Draft { target: Some(Cow::Borrowed(b"/odd/\xff\xfe")), ..Draft::default() }),
        (
            Kind::Connect,
            Draft {
                host: Some(Cow::Borrowed("api.example.com")),
                address: Some([192, 0, 2, 1].into()),
                port: Some(443),
                ..Draft::default()
            },
        ),
        (
            Kind::Connect,
            Draft { address: Some([0, 0, 0, 0, 0, 0, 0, 1].into()), port: Some(80), ..Draft::default() },
        ),
        (Kind::Spawn, Draft { target: path("/bin/true"), argv: Some(&argv), ..Draft::default() }),
        (Kind::Exit, Draft { child: Some(4712), status: Some(-9), ..Draft::default() }),
        (Kind::Fork, Draft::default()),
        (
            Kind::Http,
            Draft {
                target: path("https://api.example.com/v1/upload?page=2"),
                host: Some(Cow::Borrowed("api.example.com")),
                port: Some(443),
                detail: path("POST"),
                size: Some(1 << 33),
                origin: Some(&full),
                ..Draft::default()
            },
        ),
        (
            Kind::Code,
            Draft {
                target: path("<string>"),
                detail: path("exec"),
                size: Some(9),
                sha256: Some([0xAB; 32]),
                origin: Some(&full),
                ..Draft::default()
            },
        ),
        (Kind::Kill, Draft { target: path("4711"), origin: Some(&library), ..Draft::default() }),
    ];
    write_drafts(file, &drafts);
}

/// One record of every shape that a verdict has, and of what else a policy adds.
fn write_verdicts(file: &Path) {
    let origin = Origin { file: b"/home/ann/report.py".to_vec(), line: 12, ..Origin::default() };
    let open = |path: &'static str, verdict| Draft {
        access: Access::READ,
        target: Some(Cow::Borrowed(path.as_bytes())),
        origin: Some(&origin),
        verdict: Some(verdict),
        ..Draft::default()
    };
    let deny = Verdict {
        action: Action::Deny,
        rule: Some("finance/hr-data"),
        is_stopped: true,
        ..Verdict::default()
    };
    let warn = Verdict { action: Action::Warn, rule: Some("finance/uploads"), ..Verdict::default() };
    let ask = Verdict { action: Action::Justify, rule: Some("finance/payments"), ..Verdict::default() };
    let shadow = Some((Action::Deny, "organisation/nothing-leaves"));
    let drafts = [
        (
            Kind::Policy,
            Draft {
                target: path("/etc/gnomon/finance.policy"),
                detail: path("loaded"),
                sha256: Some([0xCD; 32]),
                ..Draft::default()
            },
        ),
        (Kind::Open, open("/data/hr/salaries.csv", deny)),
        (Kind::Open, open("/data/hr/bonuses.csv", deny)),
        (Kind::Open, open("/data/public.csv", Verdict { rule: Some("a/b"), ..Verdict::default() })),
        (Kind::Open, Draft { target: path("/data/unspoken.csv"), ..Draft::default() }),
        (
            Kind::Http,
            Draft {
                target: path("https://api.example.com/v1/upload"),
                host: Some(Cow::Borrowed("api.example.com")),
                detail: path("POST"),
                size: Some(9),
                verdict: Some(Verdict { shadow, ..warn }),
                ..Draft::default()
            },
        ),
        (Kind::Open, open("/data/pay/1", Verdict { reason: Some("ticket 4711, password=hunter2"), ..ask })),
        (Kind::Open, open("/data/pay/2", Verdict { is_stopped: true, ..ask })),
        (Kind::Open, open("/data/pay/3", Verdict { reason: Some("as ever"), shadow, ..ask })),
        (Kind::Open, open("/data/observed.csv", Verdict { shadow, ..Verdict::default() })),
        (Kind::Fork, Draft { verdict: Some(warn), ..Draft::default() }),
    ];
    write_drafts(file, &drafts);
}

fn write_drafts(file: &Path, drafts: &[(Kind, Draft<'_>)]) {
    let identity = Identity { process: PROCESS, number: 0, pid: 4711, created: 1_000, allocated: 4096 };
    let segment = Segment::create_at(file, identity, Medium::Mapped).unwrap();
    let (description, script) = described();
    let head = |kind, time| Head { kind, flags: 0, time };
    segment.append(head(Kind::Process, 1_000), &encoded(&description)).unwrap();
    segment.append(head(Kind::Script, 1_001), &encoded(&script)).unwrap();
    for (time, (kind, draft)) in (2_000..).zip(drafts) {
        let place = draft.append(head(*kind, time), &segment, None, |text| text.len() as u64 * 77).unwrap();
        if *kind == Kind::Open {
            assert!(segment.repeat(place, 5_000));
        }
    }
    segment.set_lost(Loss::NoSpace, 3);
    segment.end(9_000, Some(1));
}

fn read(file: &Path) -> String {
    let segment = SegmentFile::load(file).unwrap();
    let mut said = String::new();
    let (description, script) = segment.description();
    let (description, script) = (description.unwrap(), script.unwrap());
    writeln!(said, "{:?}", segment.identity).unwrap();
    writeln!(
        said,
        "{} {:?} {} {} {} {} {} {}",
        description.role,
        description.parent,
        description.pid,
        description.started_ticks,
        description.uid,
        description.user,
        description.host,
        description.python,
    )
    .unwrap();
    for text in description.argv.iter().chain([&description.directory, &script.name]).chain(&script.file) {
        writeln!(said, "{}", text.0.escape_ascii()).unwrap();
    }
    writeln!(said, "{} {:?} {:?} {:?}", script.form, script.sha256, script.size, script.modified).unwrap();
    writeln!(said, "{:?} {:?} {}", segment.ended(), segment.status(), segment.lost(Loss::NoSpace)).unwrap();
    let mut faults = Vec::new();
    for_each_event(&segment, &Filter::default(), &mut faults, |view| {
        writeln!(said, "{}", line(view)).unwrap()
    });
    assert_eq!(faults, []);
    said
}

fn line(view: &View<'_>) -> String {
    let mut target = String::new();
    let _ = view.push_target_to(&mut target);
    let bytes = |pieces: Option<gnomon_core::text::Pieces<'_>>| {
        pieces.map(|pieces| pieces.to_vec().escape_ascii().to_string()).unwrap_or_default()
    };
    let verdict = view.verdict.map(|verdict| {
        let shadow =
            verdict.shadow.map(|(action, rule)| format!(", would {} {}", action.name(), bytes(Some(rule))));
        format!(
            " [{} {} stopped={} reason={}{}]",
            verdict.action.name(),
            bytes(verdict.rule),
            verdict.is_stopped,
            bytes(verdict.reason),
            shadow.unwrap_or_default(),
        )
    });
    let argv: Vec<_> = view.argv.iter().flatten().map(|piece| bytes(Some(*piece))).collect();
    format!(
        "{} {}..{} x{} {} [{target}] target={} destination={} requested={} host={} {:?} {:?} {argv:?} {:?} {:?} \
         detail={} {:?} {:?} by={}:{:?} {} {} {}{}",
        view.kind_name(),
        view.time,
        view.last_time,
        view.count,
        view.access.name(),
        bytes(view.target),
        bytes(view.destination),
        bytes(view.requested),
        bytes(view.host),
        view.address,
        view.port,
        view.child,
        view.status,
        bytes(view.detail),
        view.size,
        view.sha256.map(gnomon_core::process::hex),
        bytes(view.origin.file),
        view.origin.line,
        bytes(view.origin.function),
        bytes(view.origin.distribution),
        bytes(view.origin.via),
        verdict.unwrap_or_default(),
    )
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

type Write = fn(&Path);

/// Each golden spool, and what writes it.
const GOLDEN: [(&str, Write); 2] = [("v1", write), ("v1-verdicts", write_verdicts)];

fn said(name: &str) -> String {
    std::fs::read_to_string(golden(&format!("{name}.txt"))).unwrap()
}

#[test]
fn what_version_1_wrote_is_read() {
    for (name, _) in GOLDEN {
        assert_eq!(read(&golden(&format!("{name}.gnomon"))), said(name));
    }
}

#[test]
fn the_writer_of_today_says_the_same() {
    let folder = tempfile::tempdir().unwrap();
    for (name, write) in GOLDEN {
        let file = folder.path().join(name);
        write(&file);
        assert_eq!(read(&file), said(name));
    }
}

#[test]
#[ignore = "writes the golden file of the newest format anew"]
fn write_the_golden_file() {
    let (name, write) = GOLDEN[GOLDEN.len() - 1];
    let file = golden(&format!("{name}.gnomon"));
    let _ = std::fs::remove_file(&file);
    write(&file);
    std::fs::write(golden(&format!("{name}.txt")), read(&file)).unwrap();
}
