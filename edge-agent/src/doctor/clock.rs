//! The clock: set, kept, the same as the platform's, and the zone that events are told in.

use schemas::statement::ClockState;

use super::{Check, Patient, machine};
use crate::clock::DeviceClock;
use crate::compose::offset_text;
use crate::config::ClockSetting;
use crate::state::State;

/// A clock that is further from the platform's than this makes readings doubtful.
const OFF_MAX_S: u64 = 120;

pub(super) async fn look(patient: &Patient<'_>, checks: &mut Vec<Check>) {
    let setting = patient.config.device.clock;
    let clock = DeviceClock::new(patient.machine.clone(), patient.floor.clone(), setting);
    let state = clock.known().borrow().state;
    let wall = patient.machine.wall();
    let remedy = State::ClockUnknown.remedy().en;
    checks.push(if state == ClockState::Unknown {
        let found = format!("it says {wall}, which has passed for certain");
        Check::bad("clock", found, remedy)
    } else {
        Check::good("clock", wall.to_string())
    });
    checks.push(match (setting, patient.machine.is_kept()) {
        (_, true) => Check::good("time service", "systemd-timesyncd keeps the clock"),
        (ClockSetting::Synced, false) => Check::doubtful(
            "time service",
            "the configuration says that something keeps the clock; systemd-timesyncd does not",
            "nothing, if chrony or a GPS clock does; else timedatectl set-ntp true",
        ),
        (_, false) => Check::doubtful(
            "time service",
            "nothing keeps the clock: statements say `unsynced`",
            "timedatectl set-ntp true",
        ),
    });
    checks.push(zone(patient.config.device.time_zone_minutes).await);
}

async fn zone(minutes: i32) -> Check {
    let name = "time zone";
    let ours = offset_text(minutes);
    match machine::output("date", &["+%:z"]).await {
        Ok(system) if system.trim() == ours => Check::good(name, ours),
        Ok(system) => {
            let system = system.trim();
            let found = format!("events say {ours}, the system says {system}");
            let remedy = format!("set device.time_zone = \"{system}\", or the system's zone");
            Check::doubtful(name, found, remedy)
        }
        Err(problem) => Check::skipped(name, problem),
    }
}

/// How far the clock is from a time that somebody else says, in words.
pub(super) fn compare(ours: i64, theirs: i64) -> Check {
    let name = "clock and platform";
    let off = ours.abs_diff(theirs);
    if off <= OFF_MAX_S {
        Check::good(name, format!("{off} s apart"))
    } else {
        let found = format!("{off} s apart");
        Check::doubtful(name, found, State::ClockUnknown.remedy().en)
    }
}
