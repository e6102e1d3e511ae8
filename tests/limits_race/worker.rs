//! One process of the race: this very test program, started again to run one test alone.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;

use credit::money::Money;
use credit::sandbox::limits::Request;
use credit::store::Postgres;
use credit::store::sandbox::{LendError, Trials};
use schemas::ids::Slug;

use super::trial::{now, request, slug};

/// What tells a process that it is one: the database, the first client and the one behind the last.
const PART: &str = "TRACEBOND_RACE_PART";
/// How its lines begin; the test program itself writes others.
const SAYS: &str = "RACE ";
/// The test that is the process.
const NAME: &str = "limits_race::worker::one_process_of_the_race";

/// A trial, how many requests each client makes to it, and what they are.
pub struct Course {
    /// The trial.
    pub trial: &'static str,
    /// Requests of each client.
    pub requests: u32,
    /// The nth of a client.
    pub request: fn(u32, u32) -> Request,
}

/// Loans of 100 fen: each client has its borrower, eight share a buyer, the days go round.
fn equal(client: u32, number: u32) -> Request {
    let (id, borrower) = (format!("r-{client}-{number}"), format!("b{client}"));
    request(
        &id,
        &borrower,
        &format!("v{}", client % 8),
        100,
        1 + number % 5,
    )
}

/// Loans of uneven size; some of another place, group, size or time.
fn mixed(client: u32, number: u32) -> Request {
    let mut one = equal(client, number);
    let draw = client
        .wrapping_mul(2_654_435_761)
        .wrapping_add(number.wrapping_mul(40_503))
        >> 7;
    one.amount = Money::from_fen(i64::from(draw % 900) + 1, one.amount.currency()).unwrap();
    match number % 19 {
        3 => one.region = "330200".parse().unwrap(),
        7 => one.group = slug("large"),
        11 => one.tenor_days = 181,
        _ => {}
    }
    one
}

/// What each client runs, in this order: 200 requests.
pub const COURSES: [Course; 6] = [
    Course {
        trial: "users",
        requests: 32,
        request: equal,
    },
    Course {
        trial: "borrower",
        requests: 32,
        request: equal,
    },
    Course {
        trial: "buyer",
        requests: 32,
        request: equal,
    },
    Course {
        trial: "day",
        requests: 32,
        request: equal,
    },
    Course {
        trial: "outstanding",
        requests: 32,
        request: equal,
    },
    Course {
        trial: "mixed",
        requests: 40,
        request: mixed,
    },
];

/// The process, if this is one; else nothing to do.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by the race, as a process of its own"]
async fn one_process_of_the_race() {
    let part = std::env::var(PART).unwrap_or_default();
    let words: Vec<&str> = part.split(' ').collect();
    let [url, from, to] = words[..] else {
        panic!("{PART} says which part of the race this is");
    };
    let store = Postgres::open(&url.parse().unwrap()).await.unwrap();
    let trials = Trials::new(Arc::new(store));
    println!("\n{SAYS}ready");
    let mut go = String::new();
    std::io::stdin().read_line(&mut go).unwrap();
    let only = go.trim().to_owned();
    let clients = from.parse::<u32>().unwrap()..to.parse::<u32>().unwrap();
    let tasks: Vec<_> = clients
        .map(|client| tokio::spawn(run(trials.clone(), only.clone(), client)))
        .collect();
    let (mut taken, mut refused) = (0, 0);
    for task in tasks {
        let (some, others) = task.await.unwrap();
        (taken, refused) = (taken + some, refused + others);
    }
    println!("\n{SAYS}done {taken} {refused}");
}

/// How much a client reserved and how much was refused to it; says each hundredth.
async fn run(trials: Trials, only: String, client: u32) -> (u32, u32) {
    let (mut taken, mut refused) = (0, 0);
    let courses = COURSES.iter();
    for course in courses.filter(|one| only == "go" || one.trial == only) {
        let trial: Slug = slug(course.trial);
        for number in 0..course.requests {
            match trials
                .reserve(&trial, &(course.request)(client, number), now())
                .await
            {
                Ok(_) => taken += 1,
                Err(LendError::Refused(_)) => refused += 1,
                Err(error) => panic!("{error:?}"),
            }
            if number % 4 == 3 {
                println!("\n{SAYS}went");
            }
        }
    }
    (taken, refused)
}

/// A started process; killed when dropped.
pub struct Worker {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Worker {
    /// Starts one for these clients; it waits for [`Worker::go`].
    pub fn start(url: &str, clients: std::ops::Range<u32>) -> Self {
        let program = std::env::current_exe().unwrap();
        let part = format!("{url} {} {}", clients.start, clients.end);
        let mut command = Command::new(program);
        command.args([
            "--exact",
            NAME,
            "--ignored",
            "--nocapture",
            "--test-threads=1",
        ]);
        command.env(PART, part);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut worker = Self {
            child,
            input,
            output,
        };
        assert_eq!(worker.says(), "ready");
        worker
    }

    /// Lets it run one course, or all of them.
    pub fn go(&mut self, course: &str) {
        writeln!(self.input, "{course}").unwrap();
    }

    /// Waits until it has made so many groups of requests.
    pub fn went(&mut self, groups: u32) {
        for _ in 0..groups {
            assert_eq!(self.says(), "went");
        }
    }

    /// SIGKILL, wherever it is.
    pub fn kill9(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end: what it reserved and what was refused to it.
    pub fn end(mut self) -> (u32, u32) {
        loop {
            let said = self.says();
            if let Some(counts) = said.strip_prefix("done ") {
                let (taken, refused) = counts.split_once(' ').unwrap();
                let counts = (taken.parse().unwrap(), refused.parse().unwrap());
                assert!(self.child.wait().unwrap().success());
                return counts;
            }
        }
    }

    fn says(&mut self) -> String {
        loop {
            let mut line = String::new();
            let read = self.output.read_line(&mut line).unwrap();
            assert!(read > 0, "the process ended: {:?}", self.child.wait());
            if let Some(said) = line.strip_prefix(SAYS) {
                return said.trim_end().to_owned();
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It has ended already, or the test has failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
