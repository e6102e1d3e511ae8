//! The partition of pre-bins with the greatest information value under a trend: by dynamic
//! programming, so that no better one exists.
//!
//! `best[k][phase][i][j]` is the greatest sum of IV of `k` bins over the pre-bins before `j`, of
//! which the last bin is `i..j` and was entered in `phase`. A trend is a list of phases: a rising
//! one has one, a peak has a rising and then a falling one. Neighbouring bins must differ in the
//! direction of their phase, in the share of bad rows and in smoothed WoE alike, so that the points
//! that come of them are monotone too. Cost: bins x phases^2 x pre-bins^3 / 6.

use std::ops::Range;

use super::super::woe::{Counts, Reference};

/// Which way the share of bad rows goes from a bin to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Up.
    Rising,
    /// Down.
    Falling,
}

/// What a partition must respect.
#[derive(Clone, Copy, Debug)]
pub struct Constraints<'a> {
    /// What WoE is measured against.
    pub reference: Reference,
    /// In their order; at least one.
    pub phases: &'a [Direction],
    /// Weighted rows of a bin at least.
    pub least_rows: f64,
    /// Weighted rows of each outcome in a bin at least.
    pub least_of_each: f64,
    /// Bins at most.
    pub bins_max: usize,
}

/// The best partition.
#[derive(Clone, Debug, PartialEq)]
pub struct Optimum {
    /// The bins as ranges of pre-bins, from the first to the last, without gaps.
    pub bins: Vec<Range<usize>>,
    /// Sum of their IV.
    pub iv: f64,
}

/// A cell of the table: the value, and the cell that it came from.
#[derive(Clone, Copy, Debug)]
struct Cell {
    iv: f64,
    /// Phase and begin of the bin before.
    from: Option<(usize, usize)>,
}

/// A bin with what is looked at again and again.
#[derive(Clone, Copy, Debug)]
struct Weighed {
    counts: Counts,
    woe: f64,
    iv: f64,
}

struct Table<'a> {
    constraints: Constraints<'a>,
    size: usize,
    /// The bin `i..j` at `i * (size + 1) + j`; `None` where it can be none.
    bins: Vec<Option<Weighed>>,
    /// By number of bins, less one.
    layers: Vec<Vec<Option<Cell>>>,
}

/// Finds it; of equals, that with fewer bins, then that whose bins begin earlier from the last on.
/// `None` if not even one bin of everything is allowed.
#[must_use]
pub fn optimum(prebins: &[Counts], constraints: Constraints<'_>) -> Option<Optimum> {
    if prebins.is_empty() || constraints.phases.is_empty() {
        return None;
    }
    let mut table = Table::new(prebins, constraints);
    for _ in 1..constraints.bins_max.min(prebins.len()) {
        table.add_layer();
    }
    table.best()
}

impl<'a> Table<'a> {
    fn new(prebins: &[Counts], constraints: Constraints<'a>) -> Self {
        let size = prebins.len();
        let mut bins = vec![None; size * (size + 1)];
        for begin in 0..size {
            let mut sum = Counts::default();
            for end in begin + 1..=size {
                sum = sum.plus(prebins[end - 1]);
                bins[begin * (size + 1) + end] = constraints.weighed(sum);
            }
        }
        let mut table = Self {
            constraints,
            size,
            bins,
            layers: Vec::new(),
        };
        let mut first = table.empty_layer();
        for end in 1..=size {
            let place = table.place(0, 0, end);
            first[place] = table.bin(0, end).map(|bin| Cell {
                iv: bin.iv,
                from: None,
            });
        }
        table.layers.push(first);
        table
    }

    fn empty_layer(&self) -> Vec<Option<Cell>> {
        vec![None; self.constraints.phases.len() * self.size * (self.size + 1)]
    }

    fn place(&self, phase: usize, begin: usize, end: usize) -> usize {
        (phase * self.size + begin) * (self.size + 1) + end
    }

    fn bin(&self, begin: usize, end: usize) -> Option<Weighed> {
        self.bins[begin * (self.size + 1) + end]
    }

    /// The best partitions with one bin more.
    fn add_layer(&mut self) {
        let mut layer = self.empty_layer();
        let before = &self.layers[self.layers.len() - 1];
        for begin in 1..self.size {
            for earlier in 0..begin {
                let Some(left) = self.bin(earlier, begin) else {
                    continue;
                };
                for end in begin + 1..=self.size {
                    let Some(right) = self.bin(begin, end) else {
                        continue;
                    };
                    for phase in 0..self.constraints.phases.len() {
                        if !self.constraints.follows(phase, left, right) {
                            continue;
                        }
                        let place = self.place(phase, begin, end);
                        for from in 0..=phase {
                            let came = before[self.place(from, earlier, begin)];
                            improve(&mut layer[place], came, right.iv, (from, earlier));
                        }
                    }
                }
            }
        }
        self.layers.push(layer);
    }

    fn best(&self) -> Option<Optimum> {
        let mut best: Option<(usize, usize, usize, f64)> = None;
        for (layer, cells) in self.layers.iter().enumerate() {
            for phase in 0..self.constraints.phases.len() {
                for begin in 0..self.size {
                    let Some(cell) = cells[self.place(phase, begin, self.size)] else {
                        continue;
                    };
                    if best.is_none_or(|(.., iv)| cell.iv > iv) {
                        best = Some((layer, phase, begin, cell.iv));
                    }
                }
            }
        }
        let (layer, phase, begin, iv) = best?;
        let bins = self.traced(layer, phase, begin);
        Some(Optimum { bins, iv })
    }

    fn traced(&self, mut layer: usize, mut phase: usize, mut begin: usize) -> Vec<Range<usize>> {
        let mut end = self.size;
        let mut bins = Vec::new();
        bins.push(begin..end);
        while let Some((from, earlier)) =
            self.layers[layer][self.place(phase, begin, end)].and_then(|cell| cell.from)
        {
            (layer, phase, begin, end) = (layer - 1, from, earlier, begin);
            bins.push(begin..end);
        }
        bins.reverse();
        bins
    }
}

fn improve(cell: &mut Option<Cell>, came: Option<Cell>, iv: f64, from: (usize, usize)) {
    let Some(came) = came else { return };
    let iv = came.iv + iv;
    if cell.is_none_or(|there| iv > there.iv) {
        *cell = Some(Cell {
            iv,
            from: Some(from),
        });
    }
}

impl Constraints<'_> {
    /// True if these counts may be a bin.
    #[must_use]
    pub fn allows(&self, bin: Counts) -> bool {
        bin.all() >= self.least_rows
            && bin.good >= self.least_of_each
            && bin.bad >= self.least_of_each
    }

    fn weighed(&self, counts: Counts) -> Option<Weighed> {
        self.allows(counts).then(|| Weighed {
            counts,
            woe: self.reference.woe(counts),
            iv: self.reference.iv(counts),
        })
    }

    /// True if `right` may come after `left` in a phase.
    fn follows(&self, phase: usize, left: Weighed, right: Weighed) -> bool {
        let (better, worse) = match self.phases[phase] {
            Direction::Rising => (left, right),
            Direction::Falling => (right, left),
        };
        better.counts.is_better_than(worse.counts) && better.woe > worse.woe
    }
}
