//! Where in an event something is, built only of borrowed steps: text is made when a rule fails.

use std::fmt;

use super::violation::excerpt;

/// A place in an event; prints as `sensorElementList[0].sensorReport[1].value`.
#[derive(Clone, Copy)]
pub(super) struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Event,
    Member(&'a str),
    Index(usize),
}

impl Path<'static> {
    /// The event itself; prints as nothing.
    pub(super) const EVENT: Path<'static> = Path {
        parent: None,
        step: Step::Event,
    };
}

impl<'a> Path<'a> {
    pub(super) fn member(&'a self, name: &'a str) -> Path<'a> {
        Path {
            parent: Some(self),
            step: Step::Member(name),
        }
    }

    pub(super) fn index(&'a self, index: usize) -> Path<'a> {
        Path {
            parent: Some(self),
            step: Step::Index(index),
        }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(formatter)?;
        }
        let top = matches!(
            self.parent,
            None | Some(Path {
                step: Step::Event,
                ..
            })
        );
        match self.step {
            Step::Event => Ok(()),
            Step::Member(name) if top => formatter.write_str(&excerpt(name)),
            Step::Member(name) => write!(formatter, ".{}", excerpt(name)),
            Step::Index(index) => write!(formatter, "[{index}]"),
        }
    }
}
