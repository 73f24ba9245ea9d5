//! Why native code is not watched.

/// Why native code does not tell, as records say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    /// The configuration says so.
    Off,
    /// Another system, C library or processor.
    Unsupported,
    /// A stub did not do what it is for.
    Failed,
}

impl Absence {
    /// The word for it in records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Unsupported => "unsupported",
            Self::Failed => "failed",
        }
    }
}

/// The state in the process's description: `on`, or why it is not.
pub fn state(prepared: Result<(), Absence>) -> String {
    prepared.map_or_else(|absence| absence.name().to_owned(), |()| "on".to_owned())
}
