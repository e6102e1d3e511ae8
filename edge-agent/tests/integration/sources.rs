//! Sources against programs of others where there are some (pymodbus, socat, gpsd), else against
//! recorded bytes, through the whole agent.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use edge_agent::config::Config;
use edge_agent::source::{self, Quality, State};
use edge_agent::{Handle, SystemClock};
use schemas::statement::Note;

use crate::broker::Faults;
use crate::programs::{Program, no_gpsfake, no_pymodbus, no_socat};
use crate::site::{DEADLINE, Site, stop, taken_over};
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
pub fn serial_line(folder: &Path) -> (Program, String, String) {
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
    assert!(trouble.remedy.en.contains("register"), "{trouble:?}");
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

pub fn states(handle: &Handle) -> Vec<State> {
    let sources = handle.sources();
    sources
        .iter()
        .map(|source| source.borrow().clone())
        .collect()
}

/// Waits until a state of the first source is so.
pub async fn until_state(handle: &Handle, what: impl FnMut(&State) -> bool) -> State {
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
