//! Our rules as rmqtt's hooks. This is the only file that knows when rmqtt asks what:
//! `MessagePublish` (may change a message) comes before `MessagePublishCheckAcl` (may refuse it).

use std::sync::Arc;

use async_trait::async_trait;
use rmqtt::codec::v5::{PublishAckReason, SubscribeAckReason};
use rmqtt::context::ServerContext;
use rmqtt::hook::{Handler, HookResult, Parameter, ReturnType, Type};
use rmqtt::types::{
    AuthResult, ConnectInfo, From, Id, Publish, PublishAclResult, PublishResult, QoS, Subscribe,
    SubscribeReturn,
};
use schemas::ids::DeviceAddress;

use super::access::{BrokerAccess, Principal, is_capture_topic};
use super::backlog::Backlog;
use super::ingests::Ingests;
use super::receipts::Receipts;
use super::rules::{Groups, OurFitters};
use super::sessions::Sessions;
use super::{Limits, refused as count_refusal};

/// Topic that a message is given when the backlog had no room for it, so that the rules, which are
/// asked next, refuse it. Nobody may publish to it.
const NO_ROOM: &str = "$no-room";

const TYPES: [Type; 9] = [
    Type::ClientAuthenticate,
    Type::ClientSubscribeCheckAcl,
    Type::MessagePublish,
    Type::MessagePublishCheckAcl,
    Type::MessageAcked,
    Type::ClientConnected,
    Type::ClientDisconnected,
    Type::SessionSubscribed,
    Type::SessionTerminated,
];

/// Puts our rules in place of rmqtt's.
pub(super) async fn install(
    context: &ServerContext,
    access: Arc<dyn BrokerAccess>,
    limits: &Limits,
) {
    *context.extends.shared_subscription_mut().await = Box::new(Groups);
    *context.extends.fitter_mgr_mut().await = Box::new(OurFitters::new(limits));
    let hooks = Hooks {
        access,
        backlog: Backlog::start(context, limits),
        receipts: Receipts::new(limits),
        sessions: Sessions::new(limits),
    };
    let register = context.extends.hook_mgr().register();
    for kind in TYPES {
        register.add(kind, Box::new(hooks.clone())).await;
    }
    register.add(Type::MessageDropped, Box::new(Dropped)).await;
    register.start().await;
}

#[derive(Clone)]
struct Hooks {
    access: Arc<dyn BrokerAccess>,
    backlog: Backlog,
    receipts: Receipts,
    sessions: Sessions,
}

#[async_trait]
impl Handler for Hooks {
    async fn hook(&self, param: &Parameter, _: Option<HookResult>) -> ReturnType {
        let result = match param {
            Parameter::ClientAuthenticate(info) => {
                Some(HookResult::AuthResult(self.authenticate(info).await))
            }
            Parameter::ClientSubscribeCheckAcl(session, subscribe) => Some(
                HookResult::SubscribeAclResult(subscription(&session.id.client_id, subscribe)),
            ),
            Parameter::MessagePublish(session, from, publish) => {
                let known = session.is_some();
                self.hold(known, from, publish)
                    .await
                    .map(HookResult::Publish)
            }
            Parameter::MessagePublishCheckAcl(session, publish) => Some(
                HookResult::PublishAclResult(answer(&session.id.client_id, publish)),
            ),
            _ => {
                self.note(param);
                None
            }
        };
        (false, result)
    }
}

impl Hooks {
    async fn authenticate(&self, info: &ConnectInfo) -> AuthResult {
        let known = match (info.username(), info.password()) {
            (Some(name), Some(password)) => self.access.login(name, password).await,
            _ => None,
        };
        let Some(principal) = known else {
            count_refusal("login");
            return AuthResult::BadUsernameOrPassword;
        };
        let client_id = &info.id().client_id;
        let problem = if !matches!(info, ConnectInfo::V5(..)) {
            Some("version")
        } else if !principal.may_connect_as(client_id) {
            Some("client-id")
        } else if info.last_will().is_some() {
            Some("will")
        } else if !self.sessions.have_room(&principal, client_id) {
            Some("sessions-of-device")
        } else {
            None
        };
        let Some(reason) = problem else {
            return AuthResult::Allow(false, None);
        };
        count_refusal(reason);
        tracing::warn!(
            user = %name_of(&principal),
            reason,
            "a client with good credentials was not let in"
        );
        AuthResult::NotAuthorized
    }

    /// Takes a message that will be allowed into the backlog or among the receipts; leaves all
    /// others alone.
    async fn hold(&self, known: bool, from: &From, publish: &Publish) -> Option<Publish> {
        if !known || !publication(&from.id.client_id, publish).0 {
            return None;
        }
        let Some(device) = DeviceAddress::of_capture_topic(&publish.topic) else {
            return Some(self.receipts.take(publish));
        };
        let taken = self.backlog.take(&device, from, publish).await;
        Some(taken.unwrap_or_else(|| {
            let mut refused = publish.clone();
            refused.inner.topic = NO_ROOM.into();
            refused
        }))
    }

    fn note(&self, param: &Parameter<'_>) {
        count_connections(param);
        match param {
            Parameter::ClientConnected(session) => self.sessions.connected(&session.id),
            Parameter::SessionTerminated(session, _) => self.sessions.ended(&session.id),
            _ => {}
        }
        let (session, change): (_, fn(&mut Ingests, &Id)) = match param {
            Parameter::MessageAcked(_, _, publish) => {
                self.backlog.acknowledged(&publish.payload);
                return;
            }
            Parameter::SessionSubscribed(session, _) => (session, Ingests::subscribed),
            Parameter::ClientConnected(session) => (session, Ingests::connected),
            Parameter::ClientDisconnected(session, _) => (session, Ingests::disconnected),
            Parameter::SessionTerminated(session, _) => (session, Ingests::ended),
            _ => return,
        };
        if is_ingest(&session.id.client_id) {
            self.backlog.ingests(|ingests| change(ingests, &session.id));
        }
    }
}

/// Connections of devices and of ingests that are open now.
fn count_connections(param: &Parameter<'_>) {
    let connections = || metrics::gauge!("tracebond_broker_connections");
    match param {
        Parameter::ClientConnected(_) => connections().increment(1.0),
        Parameter::ClientDisconnected(..) => connections().decrement(1.0),
        _ => {}
    }
}

fn is_ingest(client_id: &str) -> bool {
    Principal::of_client_id(client_id) == Some(Principal::Ingest)
}

fn name_of(principal: &Principal) -> String {
    match principal {
        Principal::Device(address) => address.to_string(),
        Principal::Ingest => "ingest".to_owned(),
    }
}

/// A session's client id names its principal: [`Hooks::authenticate`] has made sure of it.
fn subscription(client_id: &str, subscribe: &Subscribe) -> SubscribeReturn {
    let allowed = Principal::of_client_id(client_id).is_some_and(|principal| {
        principal.may_subscribe(&subscribe.topic_filter, subscribe.is_shared())
    });
    if allowed {
        SubscribeReturn::new_success(QoS::AtLeastOnce, None)
    } else {
        count_refusal("subscribe");
        tracing::debug!(client_id, filter = %subscribe.topic_filter, "subscription refused");
        SubscribeReturn::new_failure(SubscribeAckReason::NotAuthorized)
    }
}

/// Whether a publication is let through, else why not.
fn publication(client_id: &str, publish: &Publish) -> (bool, &'static str) {
    if &*publish.topic == NO_ROOM {
        return (false, "no-room");
    }
    let allowed = Principal::of_client_id(client_id)
        .is_some_and(|principal| principal.may_publish(&publish.topic));
    // QoS 0 could be neither held back nor delivered again; an empty message is none.
    let whole = publish.qos == QoS::AtLeastOnce && !publish.payload.is_empty() && !publish.retain;
    match (allowed, whole) {
        (true, true) => (true, ""),
        (false, _) => (false, "publish"),
        (true, false) => (false, "not-whole"),
    }
}

fn answer(client_id: &str, publish: &Publish) -> PublishAclResult {
    let (allowed, reason) = publication(client_id, publish);
    if allowed {
        return PublishAclResult::allow();
    }
    count_refusal(reason);
    // A stranger may send these as fast as the line is: the count is for the operator, the line
    // for whoever looks closer.
    tracing::debug!(client_id, reason, topic = %publish.topic, "publication refused");
    match reason {
        "no-room" => refused(
            PublishAckReason::QuotaExceeded,
            "no room; come back later",
            true,
        ),
        "publish" => refused(PublishAckReason::NotAuthorized, "not your topic", false),
        // Without an acknowledgement, only closing the connection can tell the client.
        _ => refused(
            PublishAckReason::NotAuthorized,
            "QoS 1, not empty, not retained",
            true,
        ),
    }
}

fn refused(code: PublishAckReason, why: &'static str, disconnect: bool) -> PublishAclResult {
    PublishAclResult(PublishResult::reason_code(
        code,
        Some(why.into()),
        disconnect,
    ))
}

/// Counts what rmqtt drops. Captures among them come back through the backlog.
struct Dropped;

#[async_trait]
impl Handler for Dropped {
    async fn hook(&self, param: &Parameter, _: Option<HookResult>) -> ReturnType {
        if let Parameter::MessageDropped(Some(_), _, publish, reason) = param
            && !is_capture_topic(&publish.topic)
        {
            tracing::debug!(topic = %publish.topic, %reason, "a receipt was dropped");
            metrics::counter!("tracebond_broker_receipts_dropped_total").increment(1);
        }
        (false, None)
    }
}
