//! What each state is called and what to do about it. Written in both languages, not translated.

use super::{State, Text};

const fn text(zh: &'static str, en: &'static str) -> Text {
    Text { zh, en }
}

pub(super) const fn sentence(state: State) -> Text {
    match state {
        State::CopiedKey => text(
            "另有一个程序在用本设备的密钥说话。",
            "Somebody else speaks with this device's key.",
        ),
        State::OtherLog => text(
            "别的网关看到的日志与本机看到的不一致。",
            "Another gateway has seen a log that does not fit what this one has seen.",
        ),
        State::OutboxFull => text(
            "发件箱已满，暂不接收新的读数和扫码。",
            "The outbox is full: sensors and scans wait.",
        ),
        State::OutboxFails => text(
            "发件箱写不进磁盘，传感器和扫码在等待。",
            "The outbox cannot write: sensors and scans wait.",
        ),
        State::OutboxDamaged => text(
            "磁盘改动过已保存的内容；完好的部分已重新签名上报。",
            "The disk has changed what it kept; what was whole is said again.",
        ),
        State::RefusedByBroker => text(
            "消息服务器拒绝本设备登录。",
            "The broker refuses this device's log-in.",
        ),
        State::CertificateRefused => text(
            "服务器出示的证书不可信或不在有效期内。",
            "The server shows a certificate that does not come from the platform's CA or is out of its time.",
        ),
        State::TopicRefused => text(
            "消息服务器不许本设备使用自己的主题。",
            "The broker refuses this device's own topics.",
        ),
        State::BrokerLimit => text(
            "消息服务器的限额小于本设备要发送的内容。",
            "The broker takes less than this device has to send.",
        ),
        State::AnchorLate => text(
            "有声明过了平台签署的期限仍未锚定。",
            "A statement is not anchored by the deadline that the platform signed.",
        ),
        State::Unverified => text(
            "收到的平台答复通不过核验。",
            "Something that came as the platform's word does not verify.",
        ),
        State::SensorFault => text(
            "有数据源没有可用的读数。",
            "A source gives no usable readings.",
        ),
        State::OutboxFilling => text("发件箱快要用满。", "The outbox is filling."),
        State::PlatformSilent => text(
            "已连接，但平台没有回执。",
            "The broker answers, and no receipt comes from the platform.",
        ),
        State::KeyChangeWaits => text(
            "更换密钥尚无结果，其间不签名。",
            "The change of the key has not come to an end; nothing is signed meanwhile.",
        ),
        State::ClockUnknown => text(
            "设备不知道现在的时间，从开机起计时。",
            "The device does not know the time and counts from its start.",
        ),
        State::BrokerBusy => text(
            "消息服务器繁忙，要求稍后再来。",
            "The broker is busy and asks to come later.",
        ),
        State::WaitingForNetwork => text(
            "连不上平台地址，正在等待网络。",
            "Nothing answers at the platform's address.",
        ),
        State::OtherAddress => text(
            "首选地址不通，正走备用地址。",
            "The first address fails; statements travel by another one.",
        ),
        State::CatchingUp => text(
            "正在补发断线期间保存的内容，新的事件优先。",
            "What was kept while there was no connection is being sent, new events first.",
        ),
        State::Starting => text("程序正在启动。", "The agent is starting."),
        State::Stopping => text(
            "程序正在停止，未完成的内容正在存盘。",
            "The agent is stopping; what is open is being stored.",
        ),
        State::Running => text("一切正常。", "All is well."),
    }
}

pub(super) const fn remedy(state: State) -> Text {
    match state {
        State::CopiedKey => text(
            "找出另一份状态目录并停掉它，然后更换密钥（edge-agent rotate）；分不清时请机构吊销这把密钥，重新注册。",
            "Find the other copy of the state directory and stop it, then change the key (edge-agent rotate); in doubt let the organisation revoke the key and enrol anew.",
        ),
        State::OtherLog => text(
            "保留状态目录 peers 里的文件，交给机构和见证方；在查清之前不要信任平台。",
            "Keep the files in the state directory's folder peers and hand them to your organisation and the witnesses; do not trust the platform until it is explained.",
        ),
        State::OutboxFull => text(
            "恢复与平台的连接，或腾出磁盘空间、提高限额；已保存的内容没有丢。",
            "Restore the connection to the platform, free disk space or raise the quota; what was stored is not lost.",
        ),
        State::OutboxFails => text(
            "看日志里的原因：磁盘是否只读、损坏或空间不足；已保存的内容没有丢。",
            "Read the reason in the log: a read-only, broken or full disk; what was stored is not lost.",
        ),
        State::OutboxDamaged => text(
            "更换存储卡或磁盘；丢失的数量写在新纪元的签名记录和日志里，请告知机构。",
            "Replace the card or disk; the log and the new epoch's note say how much is lost: tell the organisation.",
        ),
        State::RefusedByBroker => text(
            "请机构查看本设备的记录是否有效；必要时重新注册。内容都保存在本机。",
            "Ask the organisation whether this device's record is active; enrol anew if it is not. Everything is kept here.",
        ),
        State::CertificateRefused => text(
            "核对地址和设备时间；平台更换了证书机构时重新注册。切勿关闭校验。",
            "Check the address and this device's clock; enrol anew if the platform has a new CA. Never switch the check off.",
        ),
        State::TopicRefused => text(
            "请平台管理员检查消息服务器的权限文件（platform broker-config）。",
            "Ask the operator to check the broker's rules (platform broker-config).",
        ),
        State::BrokerLimit => text(
            "请平台管理员按 platform broker-config 写出的限额配置消息服务器。",
            "Ask the operator to give the broker the limits that platform broker-config writes.",
        ),
        State::AnchorLate => text(
            "程序会自己向平台追问；一小时后仍未解决，请通知机构和见证方。",
            "The agent asks the platform by itself; tell the organisation and the witnesses if it lasts for an hour.",
        ),
        State::Unverified => text(
            "把日志交给机构：可能有人冒充平台，或注册资料已过期。",
            "Show the log to the organisation: somebody plays the platform, or this enrolment is out of date.",
        ),
        State::SensorFault => text(
            "检查接线、电源和地址；edge-agent doctor 会逐个试读。故障已作为签名记录上报。",
            "Check wiring, power and address; edge-agent doctor tries each source. The fault is recorded and signed.",
        ),
        State::OutboxFilling => text(
            "检查与平台的连接；接下来会稀疏旧读数并留下签名记录，满了以后传感器和扫码会等待。",
            "Check the connection to the platform; old readings are thinned next, and once it is full, sensors and scans wait.",
        ),
        State::PlatformSilent => text(
            "请平台管理员查看接收服务；声明会自动重发，内容都在本机。",
            "Ask the operator to look at the platform's ingest; statements are sent again by themselves and kept here.",
        ),
        State::KeyChangeWaits => text(
            "请所属组织同意或拒绝该认领；若得不到答复，运行 edge-agent rotate --cancel 继续使用现有密钥。",
            "Ask the organisation to sign or refuse the claim; where it does neither, edge-agent rotate --cancel goes on with the present key.",
        ),
        State::ClockUnknown => text(
            "打开时间服务（timedatectl set-ntp true）或加装时钟模块；照常采集，声明中注明时间未知。",
            "Switch a time service on (timedatectl set-ntp true) or fit a clock module; work goes on, and each statement says that its time is unknown.",
        ),
        State::BrokerBusy => text(
            "无需处理，程序会隔一段时间再试。",
            "Nothing: the agent tries again after a while.",
        ),
        State::WaitingForNetwork => text(
            "检查网线、路由和防火墙（8883 端口，或经 443 的 wss://）；内容都保存在本机。",
            "Check cable, router and firewall (port 8883, or wss:// by 443); everything is kept here.",
        ),
        State::OtherAddress => text(
            "检查首选地址；恢复后程序会自己换回去。",
            "Check the first address; the agent goes back to it by itself.",
        ),
        State::CatchingUp => text("无需处理。", "Nothing."),
        State::Starting => text("无需处理，请稍候。", "Nothing: wait a moment."),
        State::Stopping => text("无需处理。", "Nothing."),
        State::Running => text("无需处理。", "Nothing."),
    }
}
