//! Keys that are known by how they start.

use super::{LOOKAHEAD, WORD, class};

/// A key that is known by how it starts.
pub(super) struct Shape {
    prefix: &'static [u8],
    /// How many letters follow at least.
    least: usize,
    /// Whether `-`, `_` and `.` may be among them.
    letters: Letters,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Letters {
    /// Capitals and digits.
    Capitals,
    /// Letters and digits.
    Plain,
    /// Also `-` and `_`.
    Url,
    /// Also `.`.
    Dotted,
    /// As [`Letters::Url`], with a stretch of letters and digits that no name has.
    Mixed,
}

pub(super) const fn shape(prefix: &'static [u8], least: usize, letters: Letters) -> Shape {
    Shape { prefix, least, letters }
}

pub(super) static SHAPES: [Shape; 52] = [
    shape(b"sk-ant-", 16, Letters::Url),
    shape(b"sk-proj-", 20, Letters::Url),
    shape(b"sk-svcacct-", 20, Letters::Url),
    shape(b"sk-or-v1-", 20, Letters::Url),
    shape(b"sk-", 20, Letters::Mixed),
    shape(b"sk_live_", 16, Letters::Plain),
    shape(b"sk_test_", 16, Letters::Plain),
    shape(b"rk_live_", 16, Letters::Plain),
    shape(b"rk_test_", 16, Letters::Plain),
    shape(b"whsec_", 16, Letters::Plain),
    shape(b"AKIA", 16, Letters::Capitals),
    shape(b"ASIA", 16, Letters::Capitals),
    shape(b"AROA", 16, Letters::Capitals),
    shape(b"ABIA", 16, Letters::Capitals),
    shape(b"ACCA", 16, Letters::Capitals),
    shape(b"ghp_", 30, Letters::Plain),
    shape(b"gho_", 30, Letters::Plain),
    shape(b"ghu_", 30, Letters::Plain),
    shape(b"ghs_", 30, Letters::Plain),
    shape(b"ghr_", 30, Letters::Plain),
    shape(b"github_pat_", 22, Letters::Url),
    shape(b"glpat-", 20, Letters::Dotted),
    shape(b"gldt-", 20, Letters::Dotted),
    shape(b"glrt-", 20, Letters::Dotted),
    shape(b"glsa_", 20, Letters::Url),
    shape(b"gsk_", 30, Letters::Plain),
    shape(b"xoxa-", 15, Letters::Url),
    shape(b"xoxb-", 15, Letters::Url),
    shape(b"xoxe-", 15, Letters::Url),
    shape(b"xoxe.", 15, Letters::Dotted),
    shape(b"xoxp-", 15, Letters::Url),
    shape(b"xoxr-", 15, Letters::Url),
    shape(b"xoxs-", 15, Letters::Url),
    shape(b"xapp-", 15, Letters::Url),
    shape(b"xai-", 40, Letters::Plain),
    shape(b"AIza", 30, Letters::Url),
    shape(b"ya29.", 20, Letters::Dotted),
    shape(b"GOCSPX-", 20, Letters::Url),
    shape(b"hf_", 30, Letters::Plain),
    shape(b"npm_", 30, Letters::Plain),
    shape(b"pypi-AgE", 30, Letters::Url),
    shape(b"eyJ", 30, Letters::Dotted),
    shape(b"SG.", 40, Letters::Dotted),
    shape(b"shpat_", 30, Letters::Plain),
    shape(b"shpss_", 30, Letters::Plain),
    shape(b"dop_v1_", 40, Letters::Plain),
    shape(b"dapi", 32, Letters::Plain),
    shape(b"lin_api_", 30, Letters::Plain),
    shape(b"r8_", 36, Letters::Plain),
    shape(b"hvs.", 20, Letters::Url),
    shape(b"tvly-", 20, Letters::Url),
    shape(b"NRAK-", 20, Letters::Capitals),
];

impl Shape {
    /// The length of such a key at the start of `text`.
    pub(super) fn length(&self, text: &[u8]) -> Option<usize> {
        let rest = text.strip_prefix(self.prefix)?;
        let is_letter = |byte: &&u8| match self.letters {
            Letters::Capitals => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Letters::Plain => byte.is_ascii_alphanumeric(),
            Letters::Url | Letters::Mixed => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'),
            Letters::Dotted => class(**byte) == WORD,
        };
        // Enough to decide by; a text of many beginnings shall cost no more than others.
        let found = rest.get(..rest.iter().take(LOOKAHEAD / 8).take_while(is_letter).count())?;
        let count = found.len();
        let is_key = match self.letters {
            Letters::Mixed => found.split(|byte| !byte.is_ascii_alphanumeric()).any(|part| {
                part.len() >= 16
                    && part.iter().any(u8::is_ascii_digit)
                    && part.iter().any(u8::is_ascii_alphabetic)
            }),
            // A JSON web token has three parts.
            Letters::Dotted if self.prefix == b"eyJ" => found.contains(&b'.'),
            Letters::Capitals => count == self.least,
            _ => true,
        };
        let all = || rest.iter().take_while(is_letter).count();
        (count >= self.least && is_key).then(|| self.prefix.len() + all())
    }
}
