//! CPU time and memory of processes, from `/proc` (proc(5)).

use std::ops::Sub;

use anyhow::{Context, Result};

/// Microseconds of one of the kernel's ticks: 100 a second on Linux, whatever the machine.
const TICK_US: u64 = 10_000;

/// What a process has used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// CPU microseconds, user and system, in steps of 10,000.
    pub cpu_us: u64,
    /// Resident memory in KiB at the moment of asking.
    pub rss_kib: u64,
}

impl Sub for Usage {
    type Output = Usage;

    /// CPU time since `before`; memory as it is now.
    fn sub(self, before: Usage) -> Usage {
        Usage {
            cpu_us: self.cpu_us.saturating_sub(before.cpu_us),
            rss_kib: self.rss_kib,
        }
    }
}

impl Usage {
    /// Of one process with all of its threads.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn of(pid: u32) -> Result<Usage> {
        let stat = read(pid, "stat")?;
        let own = ticks(&stat, OWN).context("an unknown /proc/PID/stat")?;
        Ok(Usage {
            cpu_us: own * TICK_US,
            rss_kib: rss(&read(pid, "status")?),
        })
    }

    /// Of a process, its children that live, and those that have ended: a database server with its
    /// backends. Memory is that of this one process, since children share most of theirs.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn of_family(pid: u32) -> Result<Usage> {
        let stat = read(pid, "stat")?;
        let ended = ticks(&stat, ENDED_CHILDREN).context("an unknown /proc/PID/stat")?;
        let mut all = Usage::of(pid)?;
        all.cpu_us += ended * TICK_US;
        let children = read(pid, &format!("task/{pid}/children"))?;
        let children = children.split_whitespace();
        for child in children.filter_map(|child| child.parse().ok()) {
            // One that has just ended is among the ended the next time.
            all.cpu_us += Usage::of(child).map_or(0, |one| one.cpu_us);
        }
        Ok(all)
    }
}

/// utime and stime, cutime and cstime: places behind the name, which may hold anything.
const OWN: [usize; 2] = [11, 12];
const ENDED_CHILDREN: [usize; 2] = [13, 14];

fn ticks(stat: &str, places: [usize; 2]) -> Option<u64> {
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    let each = places.map(|place| fields.get(place)?.parse::<u64>().ok());
    Some(each[0]? + each[1]?)
}

fn rss(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
    number.and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn read(pid: u32, file: &str) -> Result<String> {
    let path = format!("/proc/{pid}/{file}");
    std::fs::read_to_string(&path).with_context(|| format!("{path} cannot be read"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_behind_a_name_of_any_form() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 9 0 0 0 250 30 4 1 20 0 1 0 5";
        assert_eq!(ticks(stat, OWN), Some(280));
        assert_eq!(ticks(stat, ENDED_CHILDREN), Some(5));
        assert_eq!(ticks("7 (short) S 1", OWN), None);
        assert_eq!(rss("Name:\tx\nVmRSS:\t   2048 kB\n"), 2_048);
    }

    #[test]
    fn work_is_seen() {
        let id = std::process::id();
        let before = Usage::of(id).unwrap();
        let mut hash = schemas::hash::sha256(b"begin");
        while Usage::of(id).unwrap().cpu_us < before.cpu_us + 3 * TICK_US {
            (0..1_000).for_each(|_| hash = schemas::hash::sha256(&hash.0));
        }
        assert!(Usage::of_family(id).unwrap().rss_kib > 0);
    }
}
