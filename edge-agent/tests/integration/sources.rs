//! Sources against programs of others where there are some (pymodbus, socat, gpsd), else against
//! recorded bytes, through the whole agent.

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use edge_agent::config::Config;
use edge_agent::source::{self, Quality, State};
use edge_agent::{Handle, SystemClock};
use schemas::statement::Note;

use crate::agent::{DEADLINE, Site, stop, taken_over};
use crate::broker::Faults;
use crate::programs::{Program, no_gpsfake, no_pymodbus, no_socat};
use crate::world::{PLACE, SENSOR, World};

/// A server of pymodbus. Unit 1: holding 0 = 42, 1..2 = 21.5 as a float, 5 = 7 (a unit's code);
/// input 3 = -101; unit 2: holding 0 = 77. Everything else is an illegal address.
const SERVER: &str = r#"
import asyncio, socket, sys
from pymodbus.server import ModbusTcpServer, ModbusSerialServer
from pymodbus.datastore import ModbusServerContext, ModbusSequentialDataBlock
try:
    from pymodbus.datastore import ModbusDeviceContext as Unit
    words = dict(devices=None)
except ImportError:
    from pymodbus.datastore import ModbusSlaveContext as Unit
    words = dict(slaves=None)
one = Unit(hr=ModbusSequentialDataBlock(1, [42, 0x41ac, 0x0000, 0, 0, 7]),
           ir=ModbusSequentialDataBlock(1, [0, 0, 0, 0xff9b]))
two = Unit(hr=ModbusSequentialDataBlock(1, [77]))
words[list(words)[0]] = {1: one, 2: two}
context = ModbusServerContext(single=False, **words)
async def main():
    if sys.argv[1] == "tcp":
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        server = ModbusTcpServer(context, address=("127.0.0.1", port))
        where = f"127.0.0.1:{port}"
    else:
        where = sys.argv[2]
        server = ModbusSerialServer(context, port=where, baudrate=19200, parity="N", stopbits=1)
    serving = asyncio.create_task(server.serve_forever())
    while not getattr(server, "transport", None):
        if serving.done():
            serving.result()
        await asyncio.sleep(0.01)
    print("ready", where, flush=True)
    await serving
asyncio.run(main())
"#;

fn pymodbus(arguments: &[&str]) -> (Program, String) {
    let mut python = Command::new("python3");
    python.args(["-c", SERVER]).args(arguments);
    let (program, said) = Program::start(&mut python, "ready ");
    (program, said.trim().to_owned())
}

/// Two ends of a serial line, named in `folder`.
fn serial_line(folder: &Path) -> (Program, String, String) {
    let end = |name: &str| folder.join(name).display().to_string();
    let (near, far) = (end("near"), end("far"));
    let pty = |name: &str| format!("pty,raw,echo=0,link={name}");
    let program = Program::silent(Command::new("socat").args([pty(&near), pty(&far)]));
    let started = std::time::Instant::now();
    while !(Path::new(&near).exists() && Path::new(&far).exists()) {
        assert!(started.elapsed() < DEADLINE, "socat makes no line");
        std::thread::yield_now();
    }
    (program, near, far)
}

fn one(fields: &str) -> Config {
    let text = format!(
        "state = \"/tmp/x\"\n[[source]]\ninterval_s = 60\nsensor = \"{SENSOR}\"\n\
         place = \"{PLACE}\"\n{fields}\n"
    );
    Config::parse("a.toml", &text).expect("config")
}

const CELSIUS: &str = "measurement = \"Temperature\"\nuom = \"CEL\"";

async fn probe(fields: &str) -> Result<(Option<f64>, Quality), source::Trouble> {
    let config = one(&format!("{fields}\n{CELSIUS}"));
    let probed = source::probe(&config.sources[0], &SystemClock).await?;
    let found = probed.found.into_iter().next().expect("one reading");
    Ok((found.value, found.quality))
}

#[tokio::test]
async fn registers_of_pymodbus_are_read_over_tcp() {
    if no_pymodbus() {
        return;
    }
    let (server, address) = pymodbus(&["tcp"]);
    let modbus = |more: &str| format!("type = \"modbus\"\naddress = \"{address}\"\n{more}");
    let good = |value| Ok((Some(value), Quality::Good));
    let integer = modbus("register = 0\nkind = \"i16\"\nscale = 0.1");
    assert_eq!(probe(&integer).await, good(4.2));
    let float = modbus("register = 1\nkind = \"f32\"");
    assert_eq!(probe(&float).await, good(21.5));
    let input = modbus("register = 3\nkind = \"i16\"\ntable = \"input\"\nscale = 0.1");
    assert_eq!(probe(&input).await, good(-10.1));
    let second = modbus("register = 0\nkind = \"u16\"\nunit = 2");
    assert_eq!(probe(&second).await, good(77.0));
    // The device measures in another unit than the configuration says.
    let unit = modbus("register = 0\nkind = \"i16\"\nuom_register = 5\nuom_code = 7");
    assert_eq!(probe(&unit).await, good(42.0));
    let (value, quality) = probe(&unit.replace("= 7", "= 1")).await.expect("read");
    assert_eq!(value, Some(42.0));
    assert!(matches!(quality, Quality::Suspect(reason) if reason.contains("code 7")));
    let impossible =
        modbus("register = 0\nkind = \"i16\"\nplausible_max = 40\nimplausible = \"refuse\"");
    let (_, quality) = probe(&impossible).await.expect("read");
    assert!(matches!(quality, Quality::Refused(_)));
    let missing = probe(&modbus("register = 900\nkind = \"i16\"")).await;
    let trouble = missing.expect_err("no such register");
    assert!(trouble.cause.contains("refused"), "{trouble}");
    assert!(trouble.remedy.contains("register"), "{trouble:?}");
    drop(server);
    let trouble = probe(&integer).await.expect_err("gone");
    assert!(trouble.cause.contains("no connection"), "{trouble}");
}

#[tokio::test]
async fn two_units_share_a_serial_line_to_pymodbus() {
    if no_pymodbus() || no_socat() {
        return;
    }
    let mut site = Site::new(World::new(), Faults::default()).await;
    let (line, near, far) = serial_line(site.folder.path());
    let (server, _) = pymodbus(&["rtu", &far]);
    for unit in [1, 2] {
        site.sources += &format!(
            "[[source]]\ntype = \"modbus\"\nport = \"{near}\"\nbaud = 19200\nunit = {unit}\n\
             register = 0\nkind = \"i16\"\ninterval_s = 60\nsensor = \"{SENSOR}-{unit}\"\n\
             {CELSIUS}\nplace = \"{PLACE}\"\n"
        );
    }
    let (handle, shutdown) = site.start().await;
    let step = async |count: u64| {
        site.clock.advance(60);
        handle.flush().await.expect("flush");
        let states: Vec<State> = states(&handle);
        assert_eq!(handle.snapshot().readings, count, "{states:#?}");
        states
    };
    let states_now = step(2).await;
    let values: Vec<_> = states_now.iter().map(|state| state.last[0].value).collect();
    assert_eq!(values, [Some(42.0), Some(77.0)]);
    assert_eq!(states_now[0].kind, "modbus");
    // The server goes: both are in trouble, and well again when it is back.
    drop(server);
    let gone = step(2).await;
    assert!(gone.iter().all(|state| state.fault.is_some()), "{gone:#?}");
    let (_server, _) = pymodbus(&["rtu", &far]);
    let back = step(4).await;
    assert!(back.iter().all(|state| state.fault.is_none()), "{back:#?}");
    // The line itself goes.
    drop(line);
    let gone = step(4).await;
    assert!(gone.iter().all(|state| state.fault.is_some()), "{gone:#?}");
    assert_eq!(handle.snapshot().notes_made, 6);
    taken_over(&handle).await;
    stop(handle, shutdown).await;
    site.broker.with(|shared| shared.platform.check_chain());
}

fn states(handle: &Handle) -> Vec<State> {
    let sources = handle.sources();
    sources
        .iter()
        .map(|source| source.borrow().clone())
        .collect()
}

/// Waits until a state of the first source is so.
async fn until_state(handle: &Handle, what: impl FnMut(&State) -> bool) -> State {
    let mut state = handle.sources().remove(0);
    let waiting = tokio::time::timeout(DEADLINE, state.wait_for(what)).await;
    waiting
        .unwrap_or_else(|_| panic!("too late: {:#?}", states(handle)))
        .expect("open")
        .clone()
}

/// NMEA sentences of a receiver that moves north by a hair each second.
fn sentences(path: &Path) {
    let mut file = std::fs::File::create(path).expect("file");
    let mut say = |text: String| {
        let sum = text.bytes().fold(0, |sum, byte| sum ^ byte);
        write!(file, "${text}*{sum:02X}\r\n").expect("written");
    };
    for second in 0..3_000 {
        let (minute, rest) = (second / 60, second % 60);
        let time = format!("10{minute:02}{rest:02}.000");
        let north = format!("4629.{:04}", 1_000 + second);
        say(format!(
            "GPGGA,{time},{north},N,00734.0447,E,1,08,1.0,1392.6,M,48.0,M,,"
        ));
        say(format!(
            "GPRMC,{time},A,{north},N,00734.0447,E,0.00,0.00,221126,,"
        ));
    }
}

#[tokio::test]
async fn a_position_by_gpsd_is_two_components_of_one_instant() {
    if no_gpsfake() {
        return;
    }
    let mut site = Site::new(World::new(), Faults::default()).await;
    let track = site.folder.path().join("track.nmea");
    sentences(&track);
    let port = {
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        free.local_addr().expect("address").port()
    };
    let player = Program::silent(
        Command::new("gpsfake")
            .args(["-1", "-q", "-c", "0.02", "-P", &port.to_string()])
            .arg(&track),
    );
    let started = std::time::Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(started.elapsed() < DEADLINE, "gpsd does not listen");
        tokio::task::yield_now().await;
    }
    site.sources = format!(
        "[[source]]\ntype = \"gpsd\"\naddress = \"127.0.0.1:{port}\"\ninterval_s = 60\n\
         sensor = \"{SENSOR}\"\nplace = \"{PLACE}\"\n"
    );
    let (handle, shutdown) = site.start().await;
    for readings in [2, 4] {
        site.clock.advance(60);
        handle.flush().await.expect("flush");
        let status = handle.snapshot();
        assert_eq!(
            (status.readings, status.notes_made),
            (readings, 0),
            "{:#?}",
            states(&handle)
        );
    }
    let state = states(&handle).remove(0);
    assert_eq!(state.last[1].what, "Angle longitude");
    assert_eq!(state.last[1].value, Some(7.567_411_7));
    drop(player);
    site.clock.advance(60);
    let gone = until_state(&handle, |state| state.fault.is_some()).await;
    assert_eq!(gone.last.len(), 2);
    taken_over(&handle).await;
    stop(handle, shutdown).await;
    let events = site.broker.with(|shared| shared.platform.events());
    assert_eq!(events.len(), 4);
    let report = |event: usize| events[event]["sensorElementList"][0]["sensorReport"][0].clone();
    let (north, east) = (report(0), report(1));
    assert_eq!(
        (&north["component"], &east["component"]),
        (&"latitude".into(), &"longitude".into())
    );
    assert_eq!(north["uom"], "DD");
    assert_eq!(north["time"], east["time"]);
    assert!(
        north["value"]
            .as_f64()
            .is_some_and(|value| (46.48..46.56).contains(&value))
    );
    assert_ne!(north["time"], report(2)["time"], "each fix is a new one");
}

#[tokio::test]
async fn a_scanner_on_a_serial_line_is_read_and_missed() {
    if no_socat() {
        return;
    }
    let mut site = Site::new(World::new(), Faults::default()).await;
    let (line, near, far) = serial_line(site.folder.path());
    site.sources = format!(
        "[[source]]\ntype = \"serial\"\nport = \"{near}\"\nbaud = 115200\nstep = \"storing\"\n\
         place = \"{PLACE}\"\nrepeat_ms = 60000\n"
    );
    let (handle, shutdown) = site.start().await;
    // Opening throws away what was sent before: the scanner speaks when it is listened to.
    let config = site.config();
    let taken = async |handle: &Handle| {
        let started = std::time::Instant::now();
        while source::probe(&config.sources[0], &SystemClock)
            .await
            .is_ok()
        {
            assert!(started.elapsed() < DEADLINE, "{:#?}", states(handle));
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    };
    taken(&handle).await;
    let say = |text: &str| {
        let mut scanner = std::fs::OpenOptions::new()
            .write(true)
            .open(&far)
            .expect("far end");
        scanner.write_all(text.as_bytes()).expect("sent");
    };
    say("]C1010952100100001710L1\u{1d}21S1\r\n");
    say("]C1010952100100001710L1\u{1d}21S1\r\n");
    say("9521001000017\r9521001000018\r");
    let state = until_state(&handle, |state| state.counts.rejected == 1).await;
    assert_eq!((state.counts.scans, state.counts.repeated), (2, 1));
    assert_eq!(state.last[0].what, "https://id.gs1.org/01/09521001000017");
    let rejects = site.folder.path().join("state/rejects/near.jsonl");
    let rejects = std::fs::read_to_string(rejects).expect("rejects");
    assert!(
        rejects.contains("check digit") && rejects.contains("9521001000018"),
        "{rejects}"
    );
    drop(line);
    until_state(&handle, |state| state.fault.is_some()).await;
    let (_line, _, far_again) = serial_line(site.folder.path());
    assert_eq!(far_again, far);
    until_state(&handle, |state| state.fault.is_none()).await;
    say("(01)09521001000017(21)S2\n");
    until_state(&handle, |state| state.counts.scans == 3).await;
    handle.flush().await.expect("flush");
    taken_over(&handle).await;
    stop(handle, shutdown).await;
    let events = site.broker.with(|shared| {
        shared.platform.check_chain();
        shared.platform.events()
    });
    let names: Vec<_> = events
        .iter()
        .map(|event| {
            let one = event["epcList"][0].as_str();
            one.or_else(|| event["quantityList"][0]["epcClass"].as_str())
                .expect("a thing")
        })
        .collect();
    assert_eq!(
        names,
        [
            "https://id.gs1.org/01/09521001000017/21/S1",
            "https://id.gs1.org/01/09521001000017",
            "https://id.gs1.org/01/09521001000017/21/S2",
        ]
    );
    assert!(events.iter().all(|event| event["bizStep"] == "storing"));
}

/// Bytes of a scanner that types `text` and Enter, as the kernel writes them.
fn typed(text: &str, seconds: usize) -> Vec<u8> {
    let rows: [(u16, &str); 4] = [
        (2, "1234567890-="),
        (16, "qwertyuiop[]"),
        (30, "asdfghjkl;'`"),
        (43, "\\zxcvbnm,./"),
    ];
    let mut bytes = Vec::new();
    let mut event = |kind: u16, code: u16, value: i32| {
        bytes.extend(seconds.to_ne_bytes());
        bytes.extend(0_usize.to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(code.to_ne_bytes());
        bytes.extend(value.to_ne_bytes());
        if kind == 1 {
            bytes.extend([0; 2 * size_of::<usize>() + 8]);
        }
    };
    let code = |letter: char| {
        let plain = letter.to_ascii_lowercase();
        let found = rows
            .iter()
            .find_map(|(first, row)| Some((*first, row.find(plain)?)));
        let (first, at) = found.expect("a key");
        first + u16::try_from(at).expect("small")
    };
    for letter in text.chars() {
        if letter.is_ascii_uppercase() {
            event(1, 42, 1);
        }
        event(1, code(letter), 1);
        event(1, code(letter), 0);
        if letter.is_ascii_uppercase() {
            event(1, 42, 0);
        }
    }
    event(1, 28, 1);
    event(1, 28, 0);
    bytes
}

#[tokio::test]
async fn recorded_keys_of_a_scanner_are_events_once_through_restarts() {
    let mut site = Site::new(World::new(), Faults::default()).await;
    let recording = site.folder.path().join("keys.bin");
    let second = 1_795_000_000;
    let mut bytes = typed("010952100100001721S1", second);
    bytes.extend(typed("010952100100001721S1", second + 1));
    bytes.extend(typed("9521001000018", second + 2));
    std::fs::write(&recording, &bytes).expect("written");
    site.sources = format!(
        "[[source]]\ntype = \"evdev\"\npath = \"{}\"\nstep = \"storing\"\nplace = \"{PLACE}\"\n",
        recording.display()
    );
    let (handle, shutdown) = site.start().await;
    let state = until_state(&handle, |state| state.counts.rejected == 1).await;
    assert_eq!((state.counts.scans, state.counts.repeated), (1, 1));
    stop(handle, shutdown).await;
    bytes.extend(typed("010952100100001721S2", second + 60));
    std::fs::write(&recording, &bytes).expect("written");
    let (handle, shutdown) = site.start().await;
    until_state(&handle, |state| state.counts.scans == 1).await;
    handle.flush().await.expect("flush");
    let status = handle.snapshot();
    assert_eq!((status.events_made, status.bad_lines), (2, 1));
    taken_over(&handle).await;
    stop(handle, shutdown).await;
}

#[tokio::test]
async fn a_scanner_in_a_pipe_is_handed_on_when_the_agent_is_asked() {
    let mut site = Site::new(World::new(), Faults::default()).await;
    let pipe = site.folder.path().join("keys");
    let made = Command::new("mkfifo").arg(&pipe).status().expect("mkfifo");
    assert!(made.success());
    site.sources = format!(
        "[[source]]\ntype = \"evdev\"\npath = \"{}\"\nstep = \"storing\"\nplace = \"{PLACE}\"\n",
        pipe.display()
    );
    let (handle, shutdown) = site.start().await;
    for serial in 1..=3_u32 {
        let (path, bytes) = (
            pipe.clone(),
            typed(&format!("010952100100001721S{serial}"), 9),
        );
        tokio::task::spawn_blocking(move || std::fs::write(path, bytes))
            .await
            .expect("task")
            .expect("written");
        handle.flush().await.expect("flush");
        assert_eq!(handle.snapshot().events_made, u64::from(serial));
    }
    stop(handle, shutdown).await;
}

/// A world whose record lets the device speak for files.
fn file_world() -> World {
    World {
        sources: vec![1, 2, 3],
        ..World::new()
    }
}

/// Drops a file as a careful machine does: written aside, then renamed.
fn drop_file(folder: &Path, name: &str, text: &str) {
    let aside = folder.join(format!("{name}.part"));
    std::fs::write(&aside, text).expect("written");
    std::fs::rename(aside, folder.join(name)).expect("renamed");
}

fn csv(serials: std::ops::Range<u32>) -> String {
    let rows = serials.map(|serial| format!("010952100100001721S{serial};Einlagern\n"));
    format!("Code;Schritt\n{}", rows.collect::<String>())
}

fn folder_source(folder: &Path, more: &str) -> String {
    format!(
        "[[source]]\ntype = \"folder\"\npath = \"{}\"\nplace = \"{PLACE}\"\nformat = \"csv\"\n\
         delimiter = \";\"\nstable_ms = 1\npoll_ms = 20\n{more}\n\
         [source.columns]\nitem = \"Code\"\nstep = \"Schritt\"\n\
         [source.steps]\nEinlagern = \"storing\"\n",
        folder.display()
    )
}

#[tokio::test]
async fn a_machines_files_are_events_once_whatever_happens_between() {
    let mut site = Site::new(file_world(), Faults::default()).await;
    let folder = site.folder.path().join("drop");
    std::fs::create_dir(&folder).expect("folder");
    // Where finished files should go stands a file: they cannot be moved.
    let done = site.folder.path().join("done");
    std::fs::write(&done, "in the way").expect("written");
    let with_done = format!("done = \"{}\"", done.display());
    site.sources = folder_source(&folder, &with_done);
    drop_file(&folder, "1.csv", &csv(0..150));
    let (handle, shutdown) = site.start().await;
    until_state(&handle, |state| state.counts.scans == 150).await;
    let stuck = until_state(&handle, |state| state.fault.is_some()).await;
    assert!(
        stuck
            .fault
            .expect("fault")
            .cause
            .contains("cannot be moved")
    );
    stop(handle, shutdown).await;
    // The events are durable, the file is still there: a crash between the two looks like this.
    assert!(folder.join("1.csv").exists());
    std::fs::remove_file(&done).expect("removed");
    drop_file(&folder, "2.csv", &csv(150..160));
    drop_file(&folder, "3.csv", "Kode;Schritt\n1;2\n");
    let bad = "Code;Schritt\n9521001000018;Einlagern\n010952100100001721S160;Einlagern\n";
    drop_file(&folder, "4.csv", bad);
    std::fs::write(folder.join("5.csv.part"), csv(900..901)).expect("written");
    let (handle, shutdown) = site.start().await;
    let state = until_state(&handle, |state| {
        state.counts.rejected == 2 && state.counts.scans == 11
    });
    state.await;
    handle.flush().await.expect("flush");
    let started = std::time::Instant::now();
    while folder.join("4.csv").exists() {
        assert!(started.elapsed() < DEADLINE, "not moved");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    taken_over(&handle).await;
    let status = handle.snapshot();
    assert_eq!((status.events_made, status.bad_lines), (161, 2));
    stop(handle, shutdown).await;
    for name in ["1.csv", "2.csv", "4.csv"] {
        assert!(done.join(name).exists(), "{name}");
    }
    assert!(folder.join("refused/3.csv").exists());
    assert!(folder.join("5.csv.part").exists());
    let rejects = std::fs::read_to_string(folder.join("rejects.jsonl")).expect("rejects");
    assert!(
        rejects.contains("no column `Code`") && rejects.contains("check digit"),
        "{rejects}"
    );
    let found: Vec<_> = site.broker.with(|shared| {
        shared.platform.check_chain();
        let events = shared.platform.events();
        let one =
            |event: &serde_json::Value| event["epcList"][0].as_str().expect("item").to_owned();
        events.iter().map(one).collect()
    });
    let made: Vec<_> = (0..161)
        .map(|n| format!("https://id.gs1.org/01/09521001000017/21/S{n}"))
        .collect();
    assert_eq!(found, made);
}

#[tokio::test]
async fn a_file_that_was_begun_is_finished_before_an_older_one_that_came_since() {
    let mut site = Site::new(file_world(), Faults::default()).await;
    let folder = site.folder.path().join("drop");
    std::fs::create_dir(&folder).expect("folder");
    // It is read and cannot be moved: a stop in its middle looks the same to the next start.
    let done = site.folder.path().join("done");
    std::fs::write(&done, "in the way").expect("written");
    site.sources = folder_source(&folder, &format!("done = \"{}\"", done.display()));
    drop_file(&folder, "new.csv", &csv(0..10));
    let (handle, shutdown) = site.start().await;
    until_state(&handle, |state| state.fault.is_some()).await;
    stop(handle, shutdown).await;
    drop_file(&folder, "old.csv", &csv(10..20));
    let hour_ago = std::time::SystemTime::now() - Duration::from_secs(3_600);
    let old = std::fs::File::options()
        .append(true)
        .open(folder.join("old.csv"));
    let old = old.expect("open");
    old.set_modified(hour_ago).expect("older");
    std::fs::remove_file(&done).expect("removed");
    let (handle, shutdown) = site.start().await;
    until_state(&handle, |state| state.counts.scans == 10).await;
    let started = std::time::Instant::now();
    while folder.join("old.csv").exists() || folder.join("new.csv").exists() {
        assert!(started.elapsed() < DEADLINE, "not moved");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(handle.snapshot().events_made, 20);
    stop(handle, shutdown).await;
}

#[tokio::test]
async fn a_sensor_that_lies_is_a_state_a_note_and_never_a_good_value() {
    let mut site = Site::new(World::new(), Faults::default()).await;
    let root = site.folder.path().join("sys");
    let device = root.join("bus/iio/devices/iio:device0");
    std::fs::create_dir_all(&device).expect("folders");
    let put = |name: &str, text: &str| std::fs::write(device.join(name), text).expect("written");
    put("name", "ads1115\n");
    put("in_voltage0_raw", "400\n");
    put("in_voltage_scale", "0.01\n");
    site.sources = format!(
        "[[source]]\ntype = \"iio\"\nroot = \"{}\"\ndevice = \"ads1115\"\nchannel = \"voltage0\"\n\
         interval_s = 60\nsensor = \"{SENSOR}\"\n{CELSIUS}\nplace = \"{PLACE}\"\n\
         plausible_min = -40\nplausible_max = 80\nimplausible = \"refuse\"\nstuck_s = 100\n",
        root.display()
    );
    let (handle, shutdown) = site.start().await;
    let step = async |raw: &str| {
        put("in_voltage0_raw", raw);
        site.clock.advance(60);
        handle.flush().await.expect("flush");
        let state = states(&handle).remove(0);
        (
            state.last[0].quality.clone(),
            state.fault,
            handle.snapshot().notes_made,
        )
    };
    assert!(matches!(step("400").await, (Quality::Good, None, 0)));
    // Beyond what can be: not taken, and a note.
    let (quality, fault, notes) = step("9000").await;
    assert!(matches!(quality, Quality::Refused(_)), "{quality:?}");
    assert!(fault.is_some_and(|fault| fault.cause.contains("90")));
    assert_eq!((notes, handle.snapshot().readings), (1, 1));
    assert!(matches!(step("410").await, (Quality::Good, None, 2)));
    // The same value for longer than 100 s.
    assert!(matches!(step("410").await, (Quality::Good, None, 2)));
    let (quality, fault, notes) = step("410").await;
    assert!(matches!(quality, Quality::Suspect(reason) if reason.contains("same value")));
    assert!(fault.is_some() && notes == 3);
    assert!(matches!(step("411").await, (Quality::Good, None, 4)));
    // Another scale is another unit until it is the first again.
    put("in_voltage_scale", "0.02\n");
    let (quality, _, notes) = step("412").await;
    assert!(matches!(quality, Quality::Suspect(reason) if reason.contains("scale 0.02")));
    assert_eq!(notes, 5);
    put("in_voltage_scale", "0.01\n");
    assert!(matches!(step("413").await, (Quality::Good, None, 6)));
    // No number, and no sensor.
    assert!(matches!(step("nan").await, (_, Some(_), 7)));
    std::fs::remove_file(device.join("in_voltage0_raw")).expect("removed");
    site.clock.advance(60);
    handle.flush().await.expect("flush");
    assert_eq!(handle.snapshot().notes_made, 7, "one trouble is one note");
    let state = states(&handle).remove(0);
    assert_eq!(state.counts.refused, 1);
    assert_eq!((state.counts.readings, state.counts.suspect), (7, 2));
    taken_over(&handle).await;
    stop(handle, shutdown).await;
    let (events, notes) = site.broker.with(|shared| {
        shared.platform.check_chain();
        let messages = shared.platform.messages.values();
        let notes = messages.filter_map(|message| message.statement.payload.note.clone());
        (shared.platform.events(), notes.collect::<Vec<Note>>())
    });
    let suspect = events.iter().filter(|event| {
        let report = &event["sensorElementList"][0]["sensorReport"][0];
        report["tb:quality"] == "suspect"
    });
    assert_eq!((events.len(), suspect.count()), (7, 2));
    assert!(
        events
            .iter()
            .all(|event| event["bizStep"] == "sensor_reporting")
    );
    let over = notes
        .iter()
        .filter(|note| matches!(note, Note::SensorFault { range: Some(_), .. }));
    assert_eq!(over.count(), 3);
}
