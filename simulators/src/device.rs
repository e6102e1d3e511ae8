//! A sensor with a Modbus TCP interface: a real server on a loopback socket, whose registers are
//! computed from the clock at the moment of the request.
//!
//! | register | content |
//! |---|---|
//! | 0 | value times 100 as a signed 16 bit number, rounded half away from zero, held at its limits |
//! | 1, 2 | value as an IEEE 754 single, high word first |
//! | 3, 4 | the device's own time, unsigned seconds since 1970, high word first |
//!
//! Holding and input registers show the same. Anything else is answered with an exception, as is
//! everything while the device is switched off.

use std::future::{Ready, ready};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use schemas::time::{Clock, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio_modbus::server::Service;
use tokio_modbus::server::tcp::Server;
use tokio_modbus::{ExceptionCode, Request, Response};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Register of the value times 100.
pub const REGISTER_CENTI: u16 = 0;
/// First of the two registers of the value as a float.
pub const REGISTER_FLOAT: u16 = 1;
/// First of the two registers of the device's time.
pub const REGISTER_TIME: u16 = 3;
/// How many registers there are.
const REGISTERS: u16 = 5;

/// What the sensor shows at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shown {
    /// The measured value, in whatever unit the device measures.
    pub value: f64,
    /// The time that the device states, which need not be right.
    pub time: Instant,
}

/// What a sensor shows, as a function of the time.
pub type Curve = Arc<dyn Fn(Instant) -> Shown + Send + Sync>;

/// A running Modbus device. Dropping it closes its socket.
pub struct ModbusDevice {
    address: SocketAddr,
    panel: Arc<Panel>,
    _stop: DropGuard,
}

/// What requests see. Shared by all connections.
struct Panel {
    clock: Arc<dyn Clock>,
    curve: Curve,
    on: AtomicBool,
    requests: AtomicU64,
}

impl ModbusDevice {
    /// Starts a device on a free port of the loopback interface.
    ///
    /// # Errors
    /// When no socket can be bound.
    pub async fn start(clock: Arc<dyn Clock>, curve: Curve) -> io::Result<ModbusDevice> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let on = AtomicBool::new(true);
        let panel = Arc::new(Panel {
            clock,
            curve,
            on,
            requests: AtomicU64::new(0),
        });
        let stop = CancellationToken::new();
        tokio::spawn(serve(listener, panel.clone(), stop.clone()));
        Ok(ModbusDevice {
            address,
            panel,
            _stop: stop.drop_guard(),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Switches the device on or off. Off, it refuses connections and answers every request with
    /// the exception "server device failure".
    pub fn switch(&self, on: bool) {
        self.panel.on.store(on, Ordering::SeqCst);
    }

    /// How many requests it has answered with values.
    pub fn requests(&self) -> u64 {
        self.panel.requests.load(Ordering::SeqCst)
    }
}

async fn serve(listener: TcpListener, panel: Arc<Panel>, stop: CancellationToken) {
    let connected = |stream: TcpStream, _peer: SocketAddr| {
        let on = panel.on.load(Ordering::SeqCst);
        // A reset of the option is no reason to refuse the connection.
        let _ = stream.set_nodelay(true);
        ready(Ok(on.then(|| (panel.clone(), stream))))
    };
    let failed = |error: io::Error| tracing::debug!(%error, "Modbus connection ended");
    let server = Server::new(listener);
    if let Some(Err(error)) = stop
        .run_until_cancelled(server.serve(&connected, failed))
        .await
    {
        tracing::warn!(%error, "Modbus device stopped");
    }
}

impl Panel {
    fn read(&self, first: u16, count: u16) -> Result<Vec<u16>, ExceptionCode> {
        if !self.on.load(Ordering::SeqCst) {
            return Err(ExceptionCode::ServerDeviceFailure);
        }
        let end = first
            .checked_add(count)
            .filter(|end| count > 0 && *end <= REGISTERS);
        let end = end.ok_or(ExceptionCode::IllegalDataAddress)?;
        let registers = registers(&(self.curve)(self.clock.now()));
        self.requests.fetch_add(1, Ordering::SeqCst);
        Ok(registers[usize::from(first)..usize::from(end)].to_vec())
    }
}

impl Service for Panel {
    type Request = Request<'static>;
    type Response = Response;
    type Exception = ExceptionCode;
    type Future = Ready<Result<Response, ExceptionCode>>;

    fn call(&self, request: Request<'static>) -> Self::Future {
        ready(match request {
            Request::ReadHoldingRegisters(first, count) => {
                self.read(first, count).map(Response::ReadHoldingRegisters)
            }
            Request::ReadInputRegisters(first, count) => {
                self.read(first, count).map(Response::ReadInputRegisters)
            }
            _ => Err(ExceptionCode::IllegalFunction),
        })
    }
}

/// The registers that show `shown`.
fn registers(shown: &Shown) -> [u16; REGISTERS as usize] {
    let centi = (shown.value * 100.0)
        .round()
        .clamp(f64::from(i16::MIN), f64::from(i16::MAX));
    let float = (shown.value as f32).to_bits();
    let seconds = shown.time.as_micros().div_euclid(1_000_000);
    let seconds = u32::try_from(seconds.max(0)).unwrap_or(u32::MAX);
    let words = |word: u32| [(word >> 16) as u16, (word & 0xFFFF) as u16];
    let ([float_high, float_low], [time_high, time_low]) = (words(float), words(seconds));
    [
        centi as i16 as u16,
        float_high,
        float_low,
        time_high,
        time_low,
    ]
}

#[cfg(test)]
mod tests {
    use tokio_modbus::client::{Context, Reader, tcp};

    use super::*;
    use crate::clock::VirtualClock;

    const START: i64 = 1_793_491_200_000_000;

    async fn device() -> (VirtualClock, ModbusDevice) {
        let clock = VirtualClock::new(Instant::from_micros(START));
        let curve: Curve = Arc::new(|now: Instant| Shown {
            value: ((now.as_micros() - START) / 60_000_000) as f64 - 2.5,
            time: now,
        });
        let device = ModbusDevice::start(Arc::new(clock.clone()), curve)
            .await
            .unwrap();
        (clock, device)
    }

    async fn connect(device: &ModbusDevice) -> Context {
        tcp::connect(device.address()).await.unwrap()
    }

    #[tokio::test]
    async fn registers_follow_the_clock() {
        let (clock, device) = device().await;
        let mut client = connect(&device).await;
        let words = client.read_holding_registers(0, 5).await.unwrap().unwrap();
        assert_eq!(words[0] as i16, -250);
        let float = f32::from_bits(u32::from(words[1]) << 16 | u32::from(words[2]));
        assert_eq!(float, -2.5);
        let time = u32::from(words[3]) << 16 | u32::from(words[4]);
        assert_eq!(i64::from(time), START / 1_000_000);
        clock
            .advance(Instant::from_micros(START + 600_000_000))
            .await
            .unwrap();
        let words = client
            .read_input_registers(REGISTER_CENTI, 1)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(words, [750]);
        assert_eq!(device.requests(), 2);
    }

    #[tokio::test]
    async fn a_device_that_is_off_answers_with_a_failure_until_it_is_on_again() {
        let (_clock, device) = device().await;
        let mut client = connect(&device).await;
        assert!(client.read_holding_registers(0, 1).await.unwrap().is_ok());
        device.switch(false);
        let failure = client
            .read_holding_registers(0, 1)
            .await
            .unwrap()
            .unwrap_err();
        assert_eq!(failure, ExceptionCode::ServerDeviceFailure);
        device.switch(true);
        assert!(client.read_holding_registers(0, 1).await.unwrap().is_ok());
    }

    #[tokio::test]
    async fn registers_that_do_not_exist_are_refused() {
        let (_clock, device) = device().await;
        let mut client = connect(&device).await;
        for (first, count) in [(4, 2), (5, 1), (u16::MAX, 2)] {
            let refusal = client
                .read_holding_registers(first, count)
                .await
                .unwrap()
                .unwrap_err();
            assert_eq!(refusal, ExceptionCode::IllegalDataAddress);
        }
    }

    #[test]
    fn values_beyond_the_register_are_held_at_its_limits() {
        let time = Instant::from_micros(0);
        assert_eq!(registers(&Shown { value: 1e9, time })[0] as i16, i16::MAX);
        assert_eq!(registers(&Shown { value: -1e9, time })[0] as i16, i16::MIN);
        assert_eq!(registers(&Shown { value: 0.005, time })[0], 1);
    }
}
