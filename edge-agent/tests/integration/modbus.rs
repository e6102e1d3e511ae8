//! A Modbus TCP device on a real socket.

use std::collections::BTreeMap;
use std::future::{Ready, ready};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_modbus::prelude::{ExceptionCode, Request, Response};
use tokio_modbus::server::Service;
use tokio_modbus::server::tcp::{Server, accept_tcp_connection};

/// Holding registers that a test may change.
#[derive(Clone, Default)]
pub struct Registers(Arc<Mutex<BTreeMap<u16, u16>>>);

impl Registers {
    pub fn set(&self, first: u16, words: &[u16]) {
        let mut map = self.0.lock().expect("lock");
        map.extend((first..).zip(words.iter().copied()));
    }

    pub fn set_f32(&self, first: u16, value: f32) {
        let bits = value.to_bits();
        self.set(first, &[(bits >> 16) as u16, bits as u16]);
    }

    fn read(&self, first: u16, count: u16) -> Option<Vec<u16>> {
        let map = self.0.lock().expect("lock");
        (first..first.checked_add(count)?)
            .map(|at| map.get(&at).copied())
            .collect()
    }
}

impl Service for Registers {
    type Request = Request<'static>;
    type Response = Response;
    type Exception = ExceptionCode;
    type Future = Ready<Result<Response, ExceptionCode>>;

    fn call(&self, request: Self::Request) -> Self::Future {
        ready(match request {
            Request::ReadHoldingRegisters(first, count) => self
                .read(first, count)
                .map(Response::ReadHoldingRegisters)
                .ok_or(ExceptionCode::IllegalDataAddress),
            _ => Err(ExceptionCode::IllegalFunction),
        })
    }
}

/// Serves on `address` (port 0 for any) until the task is aborted.
pub async fn serve(registers: Registers, address: SocketAddr) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind(address).await.expect("bind");
    let address = listener.local_addr().expect("address");
    let task = tokio::spawn(async move {
        let connected = |stream, peer| {
            let registers = registers.clone();
            ready(accept_tcp_connection(stream, peer, move |_| {
                Ok(Some(registers.clone()))
            }))
        };
        let _ = Server::new(listener).serve(&connected, |_| {}).await;
    });
    (address, task)
}
