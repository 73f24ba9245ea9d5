//! An event that nobody did, as a line of text: `open /data/hr/x.csv`. For `gnomon policy explain` and for the
//! examples beside rules.
//!
//! ```text
//! open PATH   open:write PATH   map:read+write PATH          opened so; `read` where nothing is said
//! delete PATH   list PATH   mkdir PATH   …
//! rename FROM TO   copy FROM TO   link EXISTING NEW   symlink EXISTING NEW
//! connect HOST:PORT   connect ADDRESS:PORT   connect [ADDRESS]:PORT   connect unix:PATH   (bind, send)
//! resolve HOST   http [METHOD] URL   request URL
//! import MODULE   import MODULE from DISTRIBUTION==VERSION
//! spawn PROGRAM ARGUMENT…   exec PROGRAM ARGUMENT…
//! script PATH   script -c   script -   script -m MODULE
//! native   native PATH   code   unpickle   fork   …
//! ```
//!
//! Words are divided by spaces, and quoted as a shell has them.

use std::borrow::Cow;
use std::fmt;

use super::facts::{Facts, Who};
use super::field::{self, Field, Kinds};
use super::observed::{self, Seen};
use crate::event::{Access, Kind};
use crate::{distributions, hosts, paths};

/// What a text leaves open.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// What relative paths are relative to; absolute.
    pub directory: &'a [u8],
    /// The home of who asks; absolute.
    pub home: &'a [u8],
    /// Nanoseconds since 1970 at which it happens.
    pub time: u64,
}

/// Why a text is no event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotUnderstood {
    pub cause: String,
    pub hint: String,
}

impl fmt::Display for NotUnderstood {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.cause)
    }
}

impl std::error::Error for NotUnderstood {}

fn not_understood<T>(cause: impl Into<String>, hint: impl Into<String>) -> Result<T, NotUnderstood> {
    Err(NotUnderstood { cause: cause.into(), hint: hint.into() })
}

/// The keys that say who asks, and what an event's text cannot hold.
pub const WHO_KEYS: [&str; 8] =
    ["user", "group", "script", "script_sha256", "origin", "host", "address", "distribution"];

/// The event that `event` describes, done by whom the `key=value` pairs of `who` say.
///
/// # Errors
/// What is not understood, and how it could be said.
pub fn understand(
    event: &str,
    who: &[(String, String)],
    setting: &Setting<'_>,
) -> Result<(Facts<'static>, Who), NotUnderstood> {
    let words = words(event)?;
    let Some((head, words)) = words.split_first() else {
        return not_understood(
            "there is no event",
            "say one as `open /data/x.csv` or `connect api.example.com:443`",
        );
    };
    let (name, access) =
        head.split_once(':').map_or((head.as_str(), None), |(name, access)| (name, Some(access)));
    let kind = kind_named(name)?;
    let access = access_of(kind, access)?;
    let seen = Seen { access, ..Asking { kind, words, setting }.seen()? };
    let mut facts = observed::facts(kind, setting.time, seen, Some(home(setting)));
    let mut asker = Who::default();
    match (kind, words) {
        (Kind::Import, [_, _, distribution]) => facts.distribution = Some(distribution_of(distribution)),
        (Kind::Script, words) => add_script(&mut asker, &words.join(" "), setting),
        _ => {}
    }
    for (key, value) in who {
        add_who(&mut facts, &mut asker, key, value, setting)?;
    }
    Ok((facts, asker))
}

/// `text` divided at spaces, but for those within quotes.
fn words(text: &str) -> Result<Vec<String>, NotUnderstood> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            ('\\', None | Some('"')) => word.get_or_insert_default().extend(letters.next()),
            (letter, Some(end)) if letter == end => quote = None,
            (letter, Some(_)) => word.get_or_insert_default().push(letter),
            ('\'' | '"', None) => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (letter, None) if letter.is_ascii_whitespace() => words.extend(word.take()),
            (letter, None) => word.get_or_insert_default().push(letter),
        }
    }
    if let Some(quote) = quote {
        return not_understood(
            format!("a {quote} is not closed"),
            format!("write `\\{quote}` for one that is no quote"),
        );
    }
    words.extend(word);
    Ok(words)
}

fn kind_named(name: &str) -> Result<Kind, NotUnderstood> {
    let is_known = |kind: &Kind| field::ALL.has(*kind);
    if let Some(kind) = Kind::from_name(name).filter(is_known) {
        return Ok(kind);
    }
    let names = Kind::ALL.into_iter().filter(is_known).map(Kind::name);
    let nearest = names
        .clone()
        .max_by(|one, other| strsim::jaro_winkler(name, one).total_cmp(&strsim::jaro_winkler(name, other)));
    let nearest = nearest.filter(|nearest| strsim::jaro_winkler(name, nearest) > 0.8);
    let hint = match (field::kinds_named(name), nearest) {
        (Some(_), _) => format!("`{name}` is a family of events: name one of them"),
        (None, Some(nearest)) => format!("did you mean `{nearest}`?"),
        (None, None) => format!("it is one of {}", names.collect::<Vec<_>>().join(", ")),
    };
    not_understood(format!("there is no event `{name}`"), hint)
}

/// How a file is opened: for reading where `text` does not say otherwise.
fn access_of(kind: Kind, text: Option<&str>) -> Result<Access, NotUnderstood> {
    let is_chosen = matches!(kind, Kind::Open | Kind::Map);
    let Some(text) = text else {
        return Ok(if is_chosen { Access::READ } else { Access::default() });
    };
    let name = kind.name();
    if !is_chosen {
        return not_understood(format!("`{name}` has no access to choose"), format!("say `{name}` alone"));
    }
    let mut access = Access::default();
    for word in text.split(['+', ',']) {
        let known = [Access::READ, Access::WRITE, Access::APPEND, Access::CREATE];
        match known.into_iter().find(|known| known.name() == word) {
            Some(known) => access = access.with(known),
            None => {
                let hint = format!("say `{name}:read`, `{name}:write` or `{name}:read+write`");
                return not_understood(format!("there is no access `{word}`"), hint);
            }
        }
    }
    Ok(access)
}

/// Kinds of which no rule can look at the target.
const BARE: Kinds = Kinds::of(&[
    Kind::Fork,
    Kind::Code,
    Kind::Unpickle,
    Kind::Kill,
    Kind::Limit,
    Kind::Setenv,
    Kind::Registry,
    Kind::Tamper,
]);

/// What stands after the event's name.
struct Asking<'a> {
    kind: Kind,
    words: &'a [String],
    setting: &'a Setting<'a>,
}

impl Asking<'_> {
    /// What the record of such an event would hold.
    fn seen(&self) -> Result<Seen<'static>, NotUnderstood> {
        match self.kind {
            kind if BARE.has(kind) => self.nothing(),
            Kind::Rename | Kind::Copy | Kind::Link | Kind::Symlink => self.two_paths(),
            Kind::Native if self.words.is_empty() => Ok(Seen::default()),
            Kind::Http | Kind::Request => self.url(),
            kind if field::NETWORK.has(kind) => self.endpoint(),
            Kind::Import => self.module(),
            Kind::Spawn | Kind::Exec => self.command(),
            Kind::Script => self.script(),
            _ => Ok(on(self.setting.located(self.one_word("a path", "/data/x.csv")?))),
        }
    }

    fn nothing(&self) -> Result<Seen<'static>, NotUnderstood> {
        if self.words.is_empty() {
            return Ok(Seen::default());
        }
        let name = self.kind.name();
        not_understood(format!("no rule can look at what a `{name}` is about"), format!("say `{name}` alone"))
    }

    fn one_word(&self, what: &str, example: &str) -> Result<&str, NotUnderstood> {
        let name = self.kind.name();
        match self.words {
            [word] if !word.is_empty() => Ok(word),
            [] | [_] => not_understood(format!("`{name}` needs {what}"), format!("as in `{name} {example}`")),
            [_, more, ..] => not_understood(
                format!("`{more}` is one word too many after `{name}`"),
                "quote what has spaces in it",
            ),
        }
    }

    fn two_paths(&self) -> Result<Seen<'static>, NotUnderstood> {
        let name = self.kind.name();
        match self.words {
            [from, to] => {
                let destination = Some(Cow::Owned(self.setting.located(to)));
                Ok(Seen { destination, ..on(self.setting.located(from)) })
            }
            _ => not_understood(
                format!("`{name}` needs two paths"),
                format!("as in `{name} /data/x.csv /data/y.csv`; quote what has spaces in it"),
            ),
        }
    }

    fn endpoint(&self) -> Result<Seen<'static>, NotUnderstood> {
        let word = self.one_word("a host or an address", "api.example.com:443")?;
        match word.strip_prefix("unix:") {
            // An abstract one has no file; its name starts with a NUL byte.
            Some(path) if path.starts_with('@') => Ok(on(path.replacen('@', "\0", 1).into_bytes())),
            Some(path) => Ok(on(self.setting.located(path))),
            None => host_and_port(word),
        }
    }

    fn url(&self) -> Result<Seen<'static>, NotUnderstood> {
        let written = match self.words {
            [_method, url] => url,
            _ => self.one_word("a URL", "https://api.example.com/v1/files")?,
        };
        let url = url::Url::parse(written).ok().filter(|_| written.contains("://"));
        let Some(url) = url else {
            return not_understood(format!("`{written}` is no URL"), format!("say `https://{written}`"));
        };
        let bare = |host: &str| host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let host = url.host_str().map(|host| Cow::Owned(bare(host)));
        Ok(Seen { host, port: url.port_or_known_default(), ..on(written.as_bytes().to_vec()) })
    }

    fn module(&self) -> Result<Seen<'static>, NotUnderstood> {
        let module = match self.words {
            [module, from, _] if from == "from" => module,
            _ => self.one_word("a module", "yaml from pyyaml==5.3")?,
        };
        Ok(on(module.as_bytes().to_vec()))
    }

    fn command(&self) -> Result<Seen<'static>, NotUnderstood> {
        let Some(program) = self.words.first() else {
            return self.one_word("a program", "curl https://example.com").map(|_| Seen::default());
        };
        let is_path = program.contains('/');
        let program = if is_path { self.setting.located(program) } else { program.as_bytes().to_vec() };
        let argv = self.words.iter().map(|word| Cow::Owned(word.as_bytes().to_vec())).collect();
        Ok(Seen { argv, ..on(program) })
    }

    fn script(&self) -> Result<Seen<'static>, NotUnderstood> {
        match self.words {
            [option, _module] if option == "-m" => {}
            _ => drop(self.one_word("a script", "/home/ann/report.py")?),
        }
        Ok(Seen::default())
    }
}

fn on(target: Vec<u8>) -> Seen<'static> {
    Seen { target: Some(Cow::Owned(target)), ..Seen::default() }
}

fn home<'a>(setting: &Setting<'a>) -> &'a [u8] {
    setting.home.strip_suffix(b"/").unwrap_or(setting.home)
}

impl Setting<'_> {
    /// The absolute path that `text` stands for.
    fn located(&self, text: &str) -> Vec<u8> {
        let (base, path) = match text.strip_prefix("~/") {
            Some(path) => (home(self), path),
            None => (self.directory, text),
        };
        paths::absolute(base, path.as_bytes()).into_owned()
    }
}

/// `host`, `host:port`, `[address]:port` or an address alone.
fn host_and_port(text: &str) -> Result<Seen<'static>, NotUnderstood> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !hosts::is_address(text) => (host, Some(port)),
        _ => (text, None),
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host).to_owned();
    match port.map(|port| port.parse().map_err(|_| port)) {
        Some(Err(port)) => not_understood(
            format!("`{port}` is no port"),
            "a port is a number up to 65535; put an IPv6 address in brackets, as `[::1]:443`",
        ),
        port => Ok(Seen { host: Some(Cow::Owned(host)), port: port.and_then(Result::ok), ..Seen::default() }),
    }
}

fn distribution_of(text: &str) -> (Cow<'static, str>, Cow<'static, str>) {
    let (name, version) = text.split_once("==").unwrap_or((text, ""));
    (Cow::Owned(distributions::normalised(name)), Cow::Owned(version.to_owned()))
}

fn add_script(who: &mut Who, text: &str, setting: &Setting<'_>) {
    let is_option = text.starts_with('-');
    let script = if is_option { text.as_bytes().to_vec() } else { setting.located(text) };
    who.add(Field::Script, &script);
}

fn add_who(
    facts: &mut Facts<'static>,
    who: &mut Who,
    key: &str,
    value: &str,
    setting: &Setting<'_>,
) -> Result<(), NotUnderstood> {
    match key {
        "user" => who.add(Field::User, value.as_bytes()),
        "group" => who.add(Field::Group, value.as_bytes()),
        "script" => add_script(who, value, setting),
        "script_sha256" => who.add(Field::ScriptSha256, value.to_ascii_lowercase().as_bytes()),
        "origin" => facts.add(Field::Origin, distributions::normalised(value).into_bytes()),
        "host" => facts.add(Field::Host, hosts::normalised(value).into_owned().into_bytes()),
        "distribution" => facts.distribution = Some(distribution_of(value)),
        "address" => match hosts::parse_address(value) {
            Some(address) => facts.address = Some(address),
            None => return not_understood(format!("`{value}` is no address"), "say one as `10.0.0.1`"),
        },
        _ => {
            let hint = format!("it is one of {}", WHO_KEYS.join(", "));
            return not_understood(format!("there is no `{key}` to say who asks"), hint);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTING: Setting<'_> = Setting { directory: b"/desk", home: b"/home/ann", time: 7 };

    /// All that is known of the event, in words.
    fn understood(event: &str, who: &[(&str, &str)]) -> String {
        let who: Vec<_> = who.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let (facts, who) = match understand(event, &who, &SETTING) {
            Ok(found) => found,
            Err(error) => return format!("{error} ({})", error.hint),
        };
        let mut said = vec![facts.kind.name().to_owned()];
        for path in &facts.paths {
            let access =
                format!("{}{}", if path.reads { "r" } else { "" }, if path.writes { "w" } else { "" });
            said.push(format!("path={}:{access}", String::from_utf8_lossy(&path.path)));
            said.extend(path.in_home.iter().map(|path| format!("in={}", String::from_utf8_lossy(path))));
        }
        for (field, text) in facts
            .texts
            .iter()
            .map(|(field, text)| (field, &**text))
            .chain(who.texts.iter().map(|(field, text)| (field, &**text)))
        {
            said.push(format!("{}={}", field.name(), String::from_utf8_lossy(text)));
        }
        said.extend(facts.address.map(|address| format!("address={address}")));
        said.extend(facts.is_unix.then(|| "unix".to_owned()));
        said.extend(facts.port.map(|port| format!("port={port}")));
        said.extend(facts.distribution.map(|(name, version)| format!("distribution={name} {version}")));
        said.join(" ")
    }

    #[test]
    fn events_are_said_in_a_line() {
        for (event, expected) in [
            ("open /data/hr/x.csv", "open path=/data/hr/x.csv:r"),
            ("open:write x.csv", "open path=/desk/x.csv:w"),
            ("open:read+append ./a//x", "open path=/desk/a/x:rw"),
            ("open:create ../x", "open path=/x:w"),
            ("map /x", "map path=/x:r"),
            ("open ~/x.csv", "open path=/home/ann/x.csv:r in=~/x.csv"),
            ("open /home/ann/x.csv", "open path=/home/ann/x.csv:r in=~/x.csv"),
            ("open '/my data/x y.csv'", "open path=/my data/x y.csv:r"),
            (r#"open /my\ data/"a\"b'c".csv"#, r#"open path=/my data/a"b'c.csv:r"#),
            ("delete /x", "delete path=/x:w"),
            ("list /x", "list path=/x:r"),
            ("xattr /x", "xattr path=/x:w"),
            ("database /x.db", "database path=/x.db:rw"),
            ("rename /a /b", "rename path=/a:w path=/b:w"),
            ("copy /a /b", "copy path=/a:r path=/b:w"),
            ("link /a /b", "link path=/a:r path=/b:w"),
            ("symlink /a /b", "symlink path=/a:r path=/b:w"),
            ("connect api.openai.com:443", "connect host=api.openai.com port=443"),
            ("connect API.Example.com.:443", "connect host=api.example.com port=443"),
            ("connect bücher.example", "connect host=xn--bcher-kva.example"),
            ("connect 10.0.0.1:443", "connect address=10.0.0.1 port=443"),
            ("connect ::ffff:10.0.0.1", "connect address=10.0.0.1"),
            ("connect [::1]:443", "connect address=::1 port=443"),
            ("connect unix:/run/x.sock", "connect path=/run/x.sock: unix"),
            ("connect unix:@x", "connect path=\0x: unix"),
            ("bind 0.0.0.0:80", "bind address=0.0.0.0 port=80"),
            ("send 8.8.8.8:53", "send address=8.8.8.8 port=53"),
            ("resolve example.com", "resolve host=example.com"),
            (
                "http POST https://ann:x@API.openai.com/v1/Files?key=1#top",
                "http url=https://api.openai.com/v1/Files host=api.openai.com port=443",
            ),
            ("http http://10.0.0.1:8080", "http url=http://10.0.0.1:8080/ address=10.0.0.1 port=8080"),
            ("request ftp://h.example/x", "request url=ftp://h.example/x host=h.example port=21"),
            ("import pickle", "import module=pickle"),
            ("import yaml from PyYAML==5.3", "import module=yaml distribution=pyyaml 5.3"),
            ("import yaml from PyYAML", "import module=yaml distribution=pyyaml "),
            ("spawn curl -s 'https://x y'", "spawn argv=curl -s https://x y program=curl"),
            ("exec ./a b", "exec argv=./a b program=a program=/desk/a"),
            ("script report.py", "script script=/desk/report.py"),
            ("script ~/report.py", "script script=/home/ann/report.py"),
            ("script -c", "script script=-c"),
            ("script -m pytest", "script script=-m pytest"),
            ("native", "native"),
            ("native /usr/lib/libc.so.6", "native path=/usr/lib/libc.so.6:r"),
            ("fork", "fork"),
            ("  setenv  ", "setenv"),
        ] {
            assert_eq!(understood(event, &[]), expected, "{event}");
        }
    }

    #[test]
    fn who_asks_is_said_in_pairs() {
        for (key, value, expected) in [
            ("user", "ann", "user=ann"),
            ("group", "100", "group=100"),
            ("script", "x.py", "script=/desk/x.py"),
            ("script", "-", "script=-"),
            ("script_sha256", "AB", "script_sha256=ab"),
            ("origin", "Typing_Extensions", "origin=typing-extensions"),
            ("host", "Example.com", "host=example.com"),
            ("address", "::ffff:10.0.0.1", "address=10.0.0.1"),
            ("distribution", "PyYAML==6.0", "distribution=pyyaml 6.0"),
        ] {
            assert_eq!(understood("fork", &[(key, value)]), format!("fork {expected}"));
        }
    }

    #[test]
    fn what_is_not_understood_is_said_with_a_way_out() {
        for (event, expected) in [
            ("", "there is no event (say one as `open /data/x.csv` or `connect api.example.com:443`)"),
            ("opne /x", "there is no event `opne` (did you mean `open`?)"),
            ("network x", "there is no event `network` (`network` is a family of events: name one of them)"),
            ("open", "`open` needs a path (as in `open /data/x.csv`)"),
            ("open /my data", "`data` is one word too many after `open` (quote what has spaces in it)"),
            ("open '/x", "a ' is not closed (write `\\'` for one that is no quote)"),
            ("open:all /x", "there is no access `all` (say `open:read`, `open:write` or `open:read+write`)"),
            ("delete:write /x", "`delete` has no access to choose (say `delete` alone)"),
            ("fork x", "no rule can look at what a `fork` is about (say `fork` alone)"),
            ("http GET example.com", "`example.com` is no URL (say `https://example.com`)"),
            (
                "connect h:http",
                "`http` is no port (a port is a number up to 65535; put an IPv6 address in brackets, as `[::1]:443`)",
            ),
            (
                "rename /x",
                "`rename` needs two paths (as in `rename /data/x.csv /data/y.csv`; quote what has spaces in it)",
            ),
            ("spawn", "`spawn` needs a program (as in `spawn curl https://example.com`)"),
        ] {
            assert_eq!(understood(event, &[]), expected, "{event}");
        }
        assert!(understood("fork", &[("who", "x")]).starts_with("there is no `who` to say who asks"));
        assert!(understood("fork", &[("address", "x")]).starts_with("`x` is no address"));
    }
}
