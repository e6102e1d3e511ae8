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

use super::Limits;
use super::access::{BrokerAccess, Principal, is_capture_topic};
use super::backlog::Backlog;
use super::ingests::Ingests;
use super::rules::{Groups, OurFitters};

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
                HookResult::PublishAclResult(publication(&session.id.client_id, publish)),
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
        let (Some(name), Some(password)) = (info.username(), info.password()) else {
            return AuthResult::BadUsernameOrPassword;
        };
        let Some(principal) = self.access.login(name, password).await else {
            return AuthResult::BadUsernameOrPassword;
        };
        let version_5 = matches!(info, ConnectInfo::V5(..));
        let fits = principal.may_connect_as(&info.id().client_id);
        if version_5 && fits && info.last_will().is_none() {
            AuthResult::Allow(false, None)
        } else {
            tracing::warn!(version_5, fits, "a client with good credentials is refused");
            AuthResult::NotAuthorized
        }
    }

    /// Takes a capture message that will be allowed into the backlog; leaves all others alone.
    async fn hold(&self, known: bool, from: &From, publish: &Publish) -> Option<Publish> {
        if !known || !is_capture_topic(&publish.topic) {
            return None;
        }
        if !publication(&from.id.client_id, publish).is_allow() {
            return None;
        }
        Some(self.backlog.take(from, publish).await.unwrap_or_else(|| {
            let mut refused = publish.clone();
            refused.inner.topic = NO_ROOM.into();
            refused
        }))
    }

    fn note(&self, param: &Parameter<'_>) {
        count_connections(param);
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

/// A session's client id names its principal: [`Hooks::authenticate`] has made sure of it.
fn subscription(client_id: &str, subscribe: &Subscribe) -> SubscribeReturn {
    let allowed = Principal::of_client_id(client_id).is_some_and(|principal| {
        principal.may_subscribe(&subscribe.topic_filter, subscribe.is_shared())
    });
    if allowed {
        SubscribeReturn::new_success(QoS::AtLeastOnce, None)
    } else {
        tracing::warn!(client_id, filter = %subscribe.topic_filter, "subscription refused");
        SubscribeReturn::new_failure(SubscribeAckReason::NotAuthorized)
    }
}

fn publication(client_id: &str, publish: &Publish) -> PublishAclResult {
    if &*publish.topic == NO_ROOM {
        return refused(
            PublishAckReason::QuotaExceeded,
            "no room; come back later",
            true,
        );
    }
    let allowed = Principal::of_client_id(client_id)
        .is_some_and(|principal| principal.may_publish(&publish.topic));
    // QoS 0 could be neither held back nor delivered again; an empty message is none.
    let whole = publish.qos == QoS::AtLeastOnce && !publish.payload.is_empty() && !publish.retain;
    match (allowed, whole) {
        (true, true) => PublishAclResult::allow(),
        (false, _) => {
            tracing::warn!(client_id, topic = %publish.topic, "publication refused");
            refused(PublishAckReason::NotAuthorized, "not your topic", false)
        }
        // Without an acknowledgement, only closing the connection can tell the client.
        (true, false) => refused(
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
