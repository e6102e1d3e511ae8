//! Programs of others that tests run against: started here, ended by their process id.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A running program; ended when it is dropped.
pub struct Program(Child);

impl Program {
    /// Starts a program whose first line on standard output begins with `ready`; what follows that
    /// on the line.
    pub fn start(command: &mut Command, ready: &str) -> (Self, String) {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let output = child.stdout.take().expect("output");
        let program = Self(child);
        let mut lines = BufReader::new(output).lines();
        let said = lines
            .by_ref()
            .map(|line| line.expect("a line"))
            .find_map(|line| line.strip_prefix(ready).map(str::to_owned))
            .unwrap_or_else(|| panic!("{command:?} ended without `{ready}`"));
        // It must not stop because nobody reads on.
        std::thread::spawn(move || lines.for_each(drop));
        (program, said)
    }

    /// Starts a program that says nothing of use.
    pub fn silent(command: &mut Command) -> Self {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(child.unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // First politely: gpsfake ends its gpsd, socat takes its links away.
        let pid = self.0.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &pid]).status();
        let asked = std::time::Instant::now();
        while asked.elapsed() < Duration::from_secs(5) {
            if self.0.try_wait().is_ok_and(|ended| ended.is_some()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// True where something is not installed, which is said plainly.
///
/// # Panics
/// Where `CI` is `true`: there, a test that is left out is a test that fails.
pub fn skip(check: &mut Command, how: &str) -> bool {
    let found = check
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if found {
        return false;
    }
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "{check:?} fails, and CI leaves nothing out: {how}"
    );
    eprintln!("SKIPPED: {check:?} fails ({how})");
    true
}

/// Python with pymodbus.
pub fn no_pymodbus() -> bool {
    let mut python = Command::new("python3");
    let import = "import pymodbus; assert pymodbus.__version__ >= '3.1'";
    skip(python.args(["-c", import]), "pip install pymodbus pyserial")
}

/// A pair of serial lines.
pub fn no_socat() -> bool {
    skip(Command::new("socat").arg("-V"), "apt-get install socat")
}

/// gpsd with its player of recorded sentences.
pub fn no_gpsfake() -> bool {
    skip(
        Command::new("gpsfake").arg("-h"),
        "apt-get install gpsd gpsd-clients gpsd-tools",
    ) || skip(
        Command::new("gpsd").arg("-V"),
        "apt-get install gpsd gpsd-clients gpsd-tools",
    )
}
