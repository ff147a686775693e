//! Three-valued answers.

/// Yes, no, or not known. Not known is never taken for yes, nor for a reason to act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tri {
    /// It is so.
    Yes,
    /// It isn't.
    No,
    /// It can't be told.
    Unknown,
}

impl Tri {
    /// Yes if any is yes; else unknown if any is unknown; else no.
    pub fn any(answers: impl IntoIterator<Item = Self>) -> Self {
        answers.into_iter().fold(Self::No, |sum, answer| match (sum, answer) {
            (Self::Yes, _) | (_, Self::Yes) => Self::Yes,
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            _ => Self::No,
        })
    }
}

impl From<bool> for Tri {
    fn from(answer: bool) -> Self {
        if answer { Self::Yes } else { Self::No }
    }
}
