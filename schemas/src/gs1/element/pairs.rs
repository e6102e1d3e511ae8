//! What must, and what may not, stand together on one thing.

use super::Element;
use crate::gs1::{Gs1Error, dictionary};

/// Checks every element against all others. To be applied to all that a thing bears, from
/// whichever bar codes it was read.
pub(super) fn check(elements: &[Element]) -> Result<(), Gs1Error> {
    let stands = |pattern: &str| {
        elements
            .iter()
            .any(|one| dictionary::matches(pattern, &one.ai))
    };
    for element in elements {
        let Some(entry) = dictionary::entry(&element.ai) else {
            continue;
        };
        let all_of = |group: &str| group.split('+').all(stands);
        if !entry.requires.is_empty() && !entry.requires.split(',').any(all_of) {
            return Err(Gs1Error::Requires {
                ai: element.ai.clone(),
                needs: entry.requires,
            });
        }
        exclusions(element, entry.excludes, elements)?;
    }
    Ok(())
}

fn exclusions(element: &Element, patterns: &str, all: &[Element]) -> Result<(), Gs1Error> {
    for pattern in patterns.split(',') {
        // An element never excludes itself, though its own pattern matches it.
        let other = all
            .iter()
            .find(|one| one.ai != element.ai && dictionary::matches(pattern, &one.ai));
        if let Some(other) = other {
            return Err(Gs1Error::Excludes {
                ai: element.ai.clone(),
                other: other.ai.clone(),
            });
        }
    }
    Ok(())
}
