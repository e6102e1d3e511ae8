//! Long lists of rows that do not depend on each other, checked by two threads at once. What comes out
//! is what one thread would have given: the caller puts the halves together in the order of the rows.

use std::thread;

/// Rows from which on a second thread costs less than it saves.
const SPLIT_FROM: usize = 64;

/// Checks the first and the second half of the rows; the second is empty for a short list, and where
/// no second thread is to be had both are checked here.
pub(super) fn check<'a, T: Sync, R: Send>(
    rows: &'a [T],
    check: impl Fn(&'a [T]) -> R + Sync,
) -> (R, R) {
    let middle = if rows.len() < SPLIT_FROM {
        rows.len()
    } else {
        rows.len().div_ceil(2)
    };
    let (front, back) = rows.split_at(middle);
    if back.is_empty() {
        return (check(front), check(back));
    }
    thread::scope(|scope| {
        let beside = thread::Builder::new().spawn_scoped(scope, || check(back));
        let front = check(front);
        let back = match beside.map(thread::ScopedJoinHandle::join) {
            Ok(Ok(back)) => back,
            // It could not be started, or broke off; here it is seen why.
            Ok(Err(_)) | Err(_) => check(back),
        };
        (front, back)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_in_one_half_and_in_order() {
        for rows in [0, 1, SPLIT_FROM - 1, SPLIT_FROM, SPLIT_FROM + 1, 1_000] {
            let all: Vec<usize> = (0..rows).collect();
            let (mut front, back) = check(&all, <[usize]>::to_vec);
            assert_eq!(back.is_empty(), rows < SPLIT_FROM);
            front.extend(back);
            assert_eq!(front, all);
        }
    }
}
