//! Which records a reader asked for: one predicate over a view, cheap tests first.

use std::collections::HashSet;
use std::sync::Arc;

use uuid::Uuid;

use crate::event::Kind;
use crate::record::{VerdictView, View};
use crate::text::Pieces;
use crate::verdict::Action;

/// What must hold of a record; empty lists and `None` hold of every one.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub kinds: Vec<Kind>,
    /// Nanoseconds since 1970: records last repeated at or after it.
    pub since: Option<u64>,
    /// The process's id starts with this, or its pid is this.
    pub process: Option<String>,
    /// The `gnomon run` that the process belongs to.
    pub run: Option<Uuid>,
    /// Part of the target, destination or requested path; or a glob where it has a `*`, `?` or `[`.
    pub path: Option<PathPattern>,
    /// The host or address itself, or a domain above it.
    pub host: Option<String>,
    /// What policy said, or would have said were observed rules enforced.
    pub verdicts: Vec<Action>,
    /// The rule that said it: `policy/rule`, or either half.
    pub rule: Option<String>,
    /// Who told of it, as [`SOURCES`] has the words.
    pub sources: Vec<&'static str>,
    /// Names of files that do not count, as another spool has them ([`crate::spool::doubles`]).
    pub without: Arc<HashSet<String>>,
}

/// The words for who told of an operation.
pub const SOURCES: [&str; 3] = ["audit", "native", "audit+native"];

impl Filter {
    /// Whether records in the file called `name` can match: ids sort by time, so all processes of a run come
    /// after it.
    #[must_use]
    pub fn matches_file(&self, name: &str) -> bool {
        self.run.is_none_or(|run| name >= run.as_simple().to_string().as_str())
            && !self.without.contains(name)
    }

    /// Whether records of the process can match.
    #[must_use]
    pub fn matches_process(&self, id: Uuid, pid: u32, run: Option<Uuid>) -> bool {
        let is_in_run = self.run.is_none() || self.run == run;
        is_in_run
            && self.process.as_ref().is_none_or(|wanted| {
                pid.to_string() == *wanted
                    || id.as_hyphenated().to_string().starts_with(wanted)
                    || id.as_simple().to_string().starts_with(wanted)
            })
    }

    /// Whether a record of `kind` that was last repeated at `last_time` can match: what its head alone tells.
    #[must_use]
    pub fn matches_head(&self, kind: Option<Kind>, last_time: u64) -> bool {
        (self.kinds.is_empty() || kind.is_some_and(|kind| self.kinds.contains(&kind)))
            && self.since.is_none_or(|since| last_time >= since)
    }

    /// Whether more than the head of a record is needed to tell if it matches.
    #[must_use]
    pub fn reads_payload(&self) -> bool {
        self.path.is_some() || self.host.is_some() || !self.verdicts.is_empty() || self.rule.is_some()
    }

    /// Whether `view` is asked for.
    #[must_use]
    pub fn matches(&self, view: &View<'_>) -> bool {
        self.matches_head(Kind::from_number(view.kind), view.last_time)
            && self.path.as_ref().is_none_or(|pattern| {
                [view.target, view.destination, view.requested]
                    .iter()
                    .flatten()
                    .any(|text| pattern.matches(text))
            })
            && self.host.as_ref().is_none_or(|host| matches_host(view, host))
            && (self.sources.is_empty() || self.sources.contains(&view.source()))
            && ((self.verdicts.is_empty() && self.rule.is_none())
                || view.verdict.is_some_and(|verdict| self.matches_verdict(&verdict)))
    }

    /// Whether one of the verdict's rules is asked for, and said what is asked for.
    fn matches_verdict(&self, verdict: &VerdictView<'_>) -> bool {
        verdict.spoken().any(|(action, rule)| {
            (self.verdicts.is_empty() || self.verdicts.contains(&action))
                && self.rule.as_ref().is_none_or(|wanted| rule.is_some_and(|rule| matches_rule(rule, wanted)))
        })
    }
}

fn matches_rule(rule: Pieces<'_>, wanted: &str) -> bool {
    let (rule, wanted) = (rule.to_vec(), wanted.as_bytes());
    let mut halves = rule.splitn(2, |byte| *byte == b'/');
    rule == wanted || (halves.any(|half| half == wanted) && rule.contains(&b'/'))
}

fn matches_host(view: &View<'_>, wanted: &str) -> bool {
    let wanted = wanted.trim_end_matches('.').to_ascii_lowercase();
    let is_named = view.host.is_some_and(|host| {
        let host = String::from_utf8_lossy(&host.to_vec()).to_ascii_lowercase();
        host == wanted || host.strip_suffix(&wanted).is_some_and(|rest| rest.ends_with('.'))
    });
    is_named || view.address.is_some_and(|address| crate::hosts::parse_address(&wanted) == Some(address))
}

/// A path asked for: part of it, or a glob over the whole.
#[derive(Clone, Debug)]
pub struct PathPattern(String);

impl PathPattern {
    /// The pattern that `text` spells.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    fn matches(&self, path: &Pieces<'_>) -> bool {
        let path = path.to_vec();
        if self.0.contains(['*', '?']) {
            return globbed(self.0.as_bytes(), &path);
        }
        let wanted = self.0.as_bytes();
        wanted.is_empty() || path.windows(wanted.len()).any(|window| window == wanted)
    }
}

/// `*` is any run of bytes, `?` any one. Linear in both lengths but for the last star.
fn globbed(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p + 1, t));
                p += 1;
            }
            Some(wanted) if *wanted == b'?' || text.get(t) == Some(wanted) => {
                p += 1;
                t += 1;
            }
            _ => match retry {
                Some((after_star, from)) => {
                    retry = Some((after_star, from + 1));
                    p = after_star;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).is_none_or(|rest| rest.iter().all(|byte| *byte == b'*'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::format::NATIVE;

    #[test]
    fn globs_and_parts_of_paths() {
        for (pattern, path, expected) in [
            ("*.csv", "/data/x.csv", true),
            ("*.csv", "/data/x.csv.gz", false),
            ("/data/*/x?", "/data/a/b/x1", true),
            ("data", "/my/database", true),
            ("/data/", "/my/database", false),
            ("*", "", true),
            ("a*b*c", "aXbXbXc", true),
            ("a*b*c", "aXbXbX", false),
        ] {
            assert_eq!(
                PathPattern::new(pattern).matches(&Pieces(path.as_bytes(), &[])),
                expected,
                "{pattern} {path}"
            );
        }
    }

    #[test]
    fn verdicts_match_with_the_rule_that_said_them() {
        let rule = Some(Pieces(b"finance/hr-data", &[]));
        let shadow = Some((Action::Deny, Pieces(b"audit/hr-data", &[])));
        let verdict = VerdictView { action: Action::Warn, rule, shadow, ..VerdictView::default() };
        let spoken = View { verdict: Some(verdict), ..View::default() };
        for (verdicts, rule, expected) in [
            (&[][..], None, true),
            (&[Action::Warn], None, true),
            (&[Action::Justify, Action::Deny], None, true),
            (&[Action::Allow, Action::Justify], None, false),
            (&[], Some("finance/hr-data"), true),
            (&[], Some("finance"), true),
            (&[], Some("hr-data"), true),
            (&[], Some("audit/hr-data"), true),
            (&[], Some("hr"), false),
            (&[], Some(""), false),
            (&[], Some("finance/"), false),
            (&[Action::Deny], Some("audit"), true),
            (&[Action::Deny], Some("hr-data"), true),
            // What is denied is not what `finance` said.
            (&[Action::Deny], Some("finance"), false),
        ] {
            let filter =
                Filter { verdicts: verdicts.to_vec(), rule: rule.map(str::to_owned), ..Filter::default() };
            assert_eq!(filter.matches(&spoken), expected, "{verdicts:?} {rule:?}");
            let is_unspoken_asked_for = verdicts.is_empty() && rule.is_none();
            assert_eq!(filter.matches(&View::default()), is_unspoken_asked_for, "{verdicts:?} {rule:?}");
        }
    }

    #[test]
    fn sources_match_as_records_say_them() {
        let told = |flags, tally| View { flags, tally, ..View::default() };
        let tally = crate::record::Tally { reached: 1, ..crate::record::Tally::default() };
        let views = [told(0, None), told(NATIVE, Some(tally)), told(0, Some(tally))];
        for (view, source) in views.iter().zip(SOURCES) {
            for wanted in SOURCES {
                let filter = Filter { sources: vec![wanted], ..Filter::default() };
                assert_eq!(filter.matches(view), wanted == source, "{wanted} {source}");
            }
            assert!(Filter::default().matches(view));
        }
    }

    #[test]
    fn hosts_match_by_domain_and_address() {
        let named = View { host: Some(Pieces(b"api.example.com", &[])), ..View::default() };
        assert!(matches_host(&named, "example.com") && matches_host(&named, "API.example.com."));
        assert!(!matches_host(&named, "ample.com"));
        let bare = View { address: crate::hosts::parse_address("10.0.0.1"), ..View::default() };
        assert!(matches_host(&bare, "::ffff:10.0.0.1") && !matches_host(&bare, "10.0.0.2"));
    }
}
