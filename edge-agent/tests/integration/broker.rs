//! A broker for one device with the platform behind it, and the failures that a test asks for.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rumqttc::v5::mqttbytes::v5::{
    ConnAck, ConnAckProperties, ConnectReturnCode, Disconnect, DisconnectProperties,
    DisconnectReasonCode, Packet, PingResp, PubAck, PubAckReason, Publish, SubAck,
    SubscribeReasonCode,
};
use rumqttc::v5::mqttbytes::{Error, QoS};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::bytes::BytesMut;

use crate::platform::Platform;

/// What goes wrong.
#[derive(Default)]
pub struct Faults {
    /// The connection breaks after each so many publishes, the last one unacknowledged.
    pub cut_every: Option<u64>,
    /// So many publishes are acknowledged and then lost, as by a broker killed before its sync.
    pub lose: u64,
    /// So many receipts are never sent.
    pub withhold: u64,
    /// So many connections end at their first publish, because another client has this one's id.
    pub take_over: u64,
    /// Inclusions are never sent, as when a broker has lost its queue.
    pub withhold_inclusions: bool,
    /// Every log-in is refused for this reason.
    pub refuse: Option<ConnectReturnCode>,
    /// The receipt topic is refused.
    pub refuse_topic: bool,
    /// Every publish is answered so, and not taken.
    pub puback: Option<PubAckReason>,
    /// So many connections are ended for this reason when they subscribe.
    pub disconnect: Option<(u64, DisconnectReasonCode)>,
    /// Publishes are neither answered nor taken.
    pub hang: bool,
    /// The broker's own limit of a packet.
    pub packet_max: Option<u32>,
}

pub struct Shared {
    pub platform: Platform,
    pub faults: Faults,
    pub connections: u64,
    publishes: u64,
    /// Replies that the device has not acknowledged: its session outlives a connection.
    session: BTreeMap<u16, Vec<u8>>,
    next_id: u16,
}

#[derive(Clone)]
pub struct Broker {
    pub address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
}

impl Broker {
    pub async fn start(platform: Platform, faults: Faults) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = listener.local_addr().expect("address");
        let shared = Shared {
            platform,
            faults,
            connections: 0,
            publishes: 0,
            session: BTreeMap::new(),
            next_id: 1,
        };
        let broker = Self {
            address,
            shared: Arc::new(Mutex::new(shared)),
        };
        let serving = broker.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(
                    Connection {
                        broker: serving.clone(),
                    }
                    .serve(stream),
                );
            }
        });
        broker
    }

    pub fn url(&self) -> String {
        format!("mqtt://{}", self.address)
    }

    pub fn with<T>(&self, look: impl FnOnce(&mut Shared) -> T) -> T {
        look(&mut self.shared.lock().expect("lock"))
    }
}

struct Connection {
    broker: Broker,
}

impl Connection {
    async fn serve(self, mut stream: TcpStream) {
        let (mut input, mut output) = (BytesMut::new(), BytesMut::new());
        self.broker.with(|shared| shared.connections += 1);
        loop {
            match Packet::read(&mut input, None) {
                Ok(packet) => {
                    let Some(answers) = self.answer(packet) else {
                        return;
                    };
                    for answer in answers {
                        answer.write(&mut output, None).expect("written");
                    }
                    if stream.write_all(&output.split()).await.is_err() {
                        return;
                    }
                }
                Err(Error::InsufficientBytes(_)) => match stream.read_buf(&mut input).await {
                    Ok(count) if count > 0 => {}
                    _ => return,
                },
                // A DISCONNECT without reason has no body, which this reader does not know.
                Err(Error::PayloadRequired) => return,
                Err(error) => panic!("a packet that is none: {error:?}"),
            }
        }
    }

    /// Answers to a packet; `None` breaks the connection.
    fn answer(&self, packet: Packet) -> Option<Vec<Packet>> {
        match packet {
            Packet::Connect(connect, _, login) => {
                assert!(!connect.clean_start);
                assert_eq!(login.expect("login").username, "qinghe/line-1");
                let (code, packet_max) = self.broker.with(|shared| {
                    let code = shared.faults.refuse;
                    let code = code.unwrap_or(ConnectReturnCode::Success);
                    (code, shared.faults.packet_max)
                });
                let connack = ConnAck {
                    session_present: code == ConnectReturnCode::Success,
                    code,
                    properties: packet_max.map(limited),
                };
                if code != ConnectReturnCode::Success {
                    return Some(vec![Packet::ConnAck(connack)]);
                }
                let again = self.broker.with(|shared| {
                    shared
                        .session
                        .iter()
                        .map(|(id, payload)| reply(*id, payload))
                        .collect::<Vec<_>>()
                });
                Some(
                    std::iter::once(Packet::ConnAck(connack))
                        .chain(again)
                        .collect(),
                )
            }
            Packet::Subscribe(subscribe) => {
                let own = "tracebond/v1/qinghe/line-1/receipt";
                let is_own = subscribe.filters[0].path == own;
                let ended = self.broker.with(|shared| {
                    let (left, code) = shared.faults.disconnect.as_mut()?;
                    *left = left.checked_sub(1)?;
                    Some(*code)
                });
                if let Some(code) = ended {
                    return Some(vec![farewell(code)]);
                }
                let code = match self.broker.with(|shared| shared.faults.refuse_topic) {
                    false if is_own => SubscribeReasonCode::Success(QoS::AtLeastOnce),
                    _ => SubscribeReasonCode::NotAuthorized,
                };
                let return_codes = vec![code];
                let pkid = subscribe.pkid;
                Some(vec![Packet::SubAck(SubAck {
                    pkid,
                    return_codes,
                    properties: None,
                })])
            }
            Packet::Publish(publish) => self.publish(&publish),
            Packet::PubAck(ack) => {
                self.broker.with(|shared| shared.session.remove(&ack.pkid));
                Some(Vec::new())
            }
            Packet::PingReq(_) => Some(vec![Packet::PingResp(PingResp)]),
            Packet::Disconnect(_) => None,
            _ => Some(Vec::new()),
        }
    }

    fn publish(&self, publish: &Publish) -> Option<Vec<Packet>> {
        assert_eq!(&publish.topic[..], b"tracebond/v1/qinghe/line-1/capture");
        let broker = self.broker.clone();
        broker.with(|shared| {
            if shared.faults.take_over > 0 {
                shared.faults.take_over -= 1;
                let reason = DisconnectReasonCode::SessionTakenOver;
                return Some(vec![farewell(reason)]);
            }
            shared.publishes += 1;
            if shared
                .faults
                .cut_every
                .is_some_and(|every| shared.publishes.is_multiple_of(every))
            {
                return None;
            }
            if shared.faults.hang {
                return Some(Vec::new());
            }
            if let Some(reason) = shared.faults.puback {
                let mut ack = PubAck::new(publish.pkid, None);
                ack.reason = reason;
                return Some(vec![Packet::PubAck(ack)]);
            }
            let mut answers = vec![Packet::PubAck(PubAck::new(publish.pkid, None))];
            if shared.faults.lose > 0 {
                shared.faults.lose -= 1;
                return Some(answers);
            }
            let statement = shared.platform.take(&publish.payload);
            if shared.faults.withhold > 0 {
                shared.faults.withhold -= 1;
                return Some(answers);
            }
            let receipt = shared.platform.receipt(&statement, Vec::new());
            let inclusion = shared.platform.include(&[statement.id()], 3);
            let inclusion = Some(inclusion).filter(|_| !shared.faults.withhold_inclusions);
            for payload in std::iter::once(receipt).chain(inclusion) {
                answers.push(reply(shared.next_id, &payload));
                shared.session.insert(shared.next_id, payload);
                shared.next_id += 1;
            }
            Some(answers)
        })
    }
}

fn farewell(code: DisconnectReasonCode) -> Packet {
    let mut farewell = Disconnect::new(code);
    // Without properties, the library writes a byte too many.
    farewell.properties = Some(DisconnectProperties {
        session_expiry_interval: None,
        reason_string: Some("for a test".to_owned()),
        user_properties: Vec::new(),
        server_reference: None,
    });
    Packet::Disconnect(farewell)
}

fn limited(packet_max: u32) -> ConnAckProperties {
    ConnAckProperties {
        session_expiry_interval: None,
        receive_max: None,
        max_qos: None,
        retain_available: None,
        max_packet_size: Some(packet_max),
        assigned_client_identifier: None,
        topic_alias_max: None,
        reason_string: None,
        user_properties: Vec::new(),
        wildcard_subscription_available: None,
        subscription_identifiers_available: None,
        shared_subscription_available: None,
        server_keep_alive: None,
        response_information: None,
        server_reference: None,
        authentication_method: None,
        authentication_data: None,
    }
}

fn reply(id: u16, payload: &[u8]) -> Packet {
    let topic = "tracebond/v1/qinghe/line-1/receipt";
    let mut publish = Publish::new(topic, QoS::AtLeastOnce, payload.to_vec(), None);
    publish.pkid = id;
    Packet::Publish(publish)
}
