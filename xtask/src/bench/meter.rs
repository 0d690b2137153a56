//! What processes cost: processor time and memory from `/proc`, and how much of the machine went to others.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::figures::float;

/// Linux counts processor time in hundredths of a second for programs, whatever the kernel's own clock.
const TICKS_PER_SECOND: f64 = 100.0;
/// At most so much of the machine is busy when it counts as quiet.
const QUIET: f64 = 0.15;
/// How long it must be so.
const QUIET_FOR: u32 = 4;
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The processes around the measured ones whose cost is known.
#[derive(Debug, Clone, Default)]
pub(super) struct Surroundings {
    pub(super) mongodb: Vec<i32>,
    pub(super) redis: Vec<i32>,
    /// The broker, the stand-in for Billz: part of the measurement, and of no interest by themselves.
    pub(super) rest: Vec<i32>,
}

/// A measurement under way.
#[derive(Debug)]
pub(super) struct Meter {
    measured: Vec<i32>,
    around: Surroundings,
    begun: Instant,
    before: Reading,
}

/// What a measurement came to. Times are in seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Used {
    pub(super) seconds: f64,
    /// Of the measured processes.
    pub(super) cpu: f64,
    pub(super) mongodb: f64,
    pub(super) redis: f64,
    /// The measured processes' most resident memory since the measurement began.
    pub(super) peak_mib: f64,
    /// The share of the machine that none of the known processes had, the kernel's own work included.
    pub(super) foreign: f64,
}

#[derive(Debug, Clone, Copy)]
struct Reading {
    measured: f64,
    mongodb: f64,
    redis: f64,
    rest: f64,
    /// This process with the load generators that it started and saw end.
    own: f64,
    machine: Machine,
}

/// What all processors did since the machine started, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Machine {
    busy: f64,
    idle: f64,
}

impl Meter {
    /// Begins to measure `measured`.
    pub(super) fn start(measured: &[i32], around: Surroundings) -> Result<Self> {
        for pid in measured {
            // Where the system does not let us, the peak is that of the whole life of the process.
            drop(std::fs::write(format!("/proc/{pid}/clear_refs"), "5"));
        }
        Ok(Self {
            before: Reading::take(measured, &around)?,
            measured: measured.to_vec(),
            around,
            begun: Instant::now(),
        })
    }

    /// Begins to measure this process itself, which runs a bare loop.
    pub(super) fn start_own(around: Surroundings) -> Result<Self> {
        Self::start(&[own_pid()?], around)
    }

    /// Ends the measurement. The measured processes must still be there.
    pub(super) fn stop(self) -> Result<Used> {
        let seconds = self.begun.elapsed().as_secs_f64();
        let after = Reading::take(&self.measured, &self.around)?;
        let before = self.before;
        let busy = after.machine.busy - before.machine.busy;
        let whole = busy + after.machine.idle - before.machine.idle;
        let own = if self.measured == [own_pid()?] {
            0.0
        } else {
            after.own - before.own
        };
        let known = after.measured - before.measured + after.mongodb - before.mongodb + after.redis - before.redis
            + after.rest
            - before.rest
            + own;
        Ok(Used {
            seconds,
            cpu: after.measured - before.measured,
            mongodb: after.mongodb - before.mongodb,
            redis: after.redis - before.redis,
            peak_mib: self.measured.iter().map(|pid| peak_mib(*pid)).sum::<Result<f64>>()?,
            foreign: if whole > 0.0 {
                ((busy - known) / whole).max(0.0)
            } else {
                0.0
            },
        })
    }
}

impl Reading {
    fn take(measured: &[i32], around: &Surroundings) -> Result<Self> {
        Ok(Self {
            measured: sum(measured)?,
            mongodb: sum(&around.mongodb)?,
            redis: sum(&around.redis)?,
            rest: sum(&around.rest)?,
            own: ticks(&read("/proc/self/stat")?, 11..15).context("/proc/self/stat has another form")?
                / TICKS_PER_SECOND,
            machine: machine()?,
        })
    }
}

fn sum(pids: &[i32]) -> Result<f64> {
    pids.iter().map(|pid| cpu_seconds(*pid)).sum()
}

/// The processor time that a process has had.
pub(super) fn cpu_seconds(pid: i32) -> Result<f64> {
    let stat = read(&format!("/proc/{pid}/stat"))?;
    Ok(ticks(&stat, 11..13).with_context(|| format!("/proc/{pid}/stat has another form"))? / TICKS_PER_SECOND)
}

/// The most memory that a process has had resident.
pub(super) fn peak_mib(pid: i32) -> Result<f64> {
    memory(pid, "VmHWM")
}

/// The memory that a process has resident now.
pub(super) fn resident_mib(pid: i32) -> Result<f64> {
    memory(pid, "VmRSS")
}

fn memory(pid: i32, field: &str) -> Result<f64> {
    let status = read(&format!("/proc/{pid}/status"))?;
    let kib =
        kib(&status, field).with_context(|| format!("/proc/{pid}/status has no {field}: has the process ended?"))?;
    Ok(float(kib) / 1024.0)
}

/// Waits until the machine has hardly anything to do, at most so long.
pub(super) async fn quiet(at_most: Duration) -> Result<()> {
    let begun = Instant::now();
    let mut calm = 0;
    let mut before = machine()?;
    while calm < QUIET_FOR && begun.elapsed() < at_most {
        tokio::time::sleep(LOOK_EVERY).await;
        let after = machine()?;
        let busy = after.busy - before.busy;
        let share = busy / (busy + after.idle - before.idle);
        calm = if share < QUIET { calm + 1 } else { 0 };
        before = after;
    }
    Ok(())
}

/// Waits until a server has ended with the requests that a load generator left behind, at most a minute.
pub(super) async fn settled(pid: i32) -> Result<()> {
    let begun = Instant::now();
    let mut calm = 0;
    while calm < 2 && begun.elapsed() < Duration::from_mins(1) {
        let before = cpu_seconds(pid)?;
        tokio::time::sleep(Duration::from_millis(300)).await;
        calm = if cpu_seconds(pid)? - before < 0.03 { calm + 1 } else { 0 };
    }
    Ok(())
}

fn own_pid() -> Result<i32> {
    Ok(i32::try_from(std::process::id())?)
}

fn machine() -> Result<Machine> {
    machine_of(&read("/proc/stat")?).context("/proc/stat has another form")
}

fn read(file: &str) -> Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("cannot read {file}; benchmarks need Linux"))
}

/// The sum of some fields of `/proc/PID/stat`, counted from the one after the name, which may hold blanks and brackets.
fn ticks(stat: &str, fields: std::ops::Range<usize>) -> Option<f64> {
    let after_name = stat.rsplit_once(')')?.1;
    let all: Vec<&str> = after_name.split_whitespace().collect();
    let wanted = all.get(fields)?;
    let numbers = wanted.iter().map(|field| field.parse::<u64>());
    Some(float(numbers.sum::<Result<u64, _>>().ok()?))
}

fn kib(status: &str, field: &str) -> Option<u64> {
    status.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name == field).then(|| value.trim().trim_end_matches(" kB").parse().ok())?
    })
}

fn machine_of(stat: &str) -> Option<Machine> {
    let fields: Vec<u64> = stat
        .lines()
        .next()?
        .strip_prefix("cpu ")?
        .split_whitespace()
        .map_while(|field| field.parse().ok())
        .collect();
    // user nice system idle iowait irq softirq steal; what guests had is in `user` already.
    let all: u64 = fields.get(..8)?.iter().sum();
    let idle = fields[3] + fields[4];
    Some(Machine {
        busy: float(all - idle) / TICKS_PER_SECOND,
        idle: float(idle) / TICKS_PER_SECOND,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_processor_time_behind_a_strange_name() {
        let stat = "42 (a) b (c)) S 1 42 42 0 -1 4194560 100 0 0 0 250 50 7 3 20 0 1 0 100 1000 10";
        assert_eq!(ticks(stat, 11..13), Some(300.0));
        assert_eq!(ticks(stat, 11..15), Some(310.0));
        assert_eq!(ticks("42 (short) S 1", 11..13), None);
        assert_eq!(ticks("nothing", 11..13), None);
    }

    #[test]
    fn reads_memory() {
        let status = "Name:\tbillwright\nVmHWM:\t   20480 kB\nVmRSS:\t   10240 kB\n";
        assert_eq!(kib(status, "VmHWM"), Some(20_480));
        assert_eq!(kib(status, "VmRSS"), Some(10_240));
        assert_eq!(kib(status, "VmSwap"), None);
    }

    #[test]
    fn reads_what_the_machine_did() {
        let stat = "cpu  100 0 50 700 100 0 40 10 999 0\ncpu0 1 2 3 4 5 6 7 8 9 10\n";
        assert_eq!(machine_of(stat), Some(Machine { busy: 2.0, idle: 8.0 }));
        assert_eq!(machine_of("cpu  1 2 3\n"), None);
    }

    #[test]
    fn measures_this_process() {
        let pid = own_pid().unwrap();
        let before = cpu_seconds(pid).unwrap();
        let meter = Meter::start_own(Surroundings::default()).unwrap();
        // On a busy machine it may take long to be given any time at all.
        while cpu_seconds(pid).unwrap() < before + 0.03 {
            std::hint::black_box(float(1));
        }
        let used = meter.stop().unwrap();
        assert!(used.seconds > 0.0 && used.cpu > 0.0 && used.peak_mib > 1.0, "{used:?}");
    }
}
