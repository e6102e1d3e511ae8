//! The page's own words, in both languages.

use crate::state::Text;

macro_rules! words {
    ($($name:ident: $zh:literal, $en:literal;)*) => {
        $(pub(super) const $name: Text = Text { zh: $zh, en: $en };)*
        /// All of them, for the test that none is missing.
        #[cfg(test)]
        pub(super) const ALL: &[Text] = &[$($name),*];
    };
}

words! {
    TITLE: "网关状态", "Gateway";
    ALSO: "另外", "Also";
    WAY: "与平台的连接", "Way to the platform";
    CONNECTED: "已连接", "Connected";
    NOT_CONNECTED: "未连接", "Not connected";
    ADDRESS: "地址", "Address";
    LAST_RECEIPT: "最近一次回执", "Newest receipt";
    NO_RECEIPT: "还没有回执", "None yet";
    CONNECTIONS: "本次启动以来的连接", "Connections since the start";
    OUTBOX: "发件箱", "Outbox";
    EVENTS_MADE: "已记录的事件", "Events recorded";
    WAIT_RECEIPT: "等待回执的声明", "Statements without a receipt";
    WAIT_BODIES: "其中的事件", "Events in them";
    WAIT_ANCHOR: "等待见证的声明", "Statements not yet witnessed";
    TAKEN: "占用磁盘", "Room taken";
    OF_QUOTA: "，限额", " of";
    CHAIN: "签名链", "Chain";
    HEAD: "最新声明", "Newest statement";
    NO_HEAD: "尚未签名", "Nothing signed yet";
    EPOCHS: "断点（新纪元）", "Gaps that this device began itself (epochs)";
    SAID: "最近一次签名", "Last signed";
    ALARMS: "告警", "Alarms";
    LATE: "过期未锚定", "Past the anchor deadline";
    REFUSED: "平台拒收的事件", "Events refused by the platform";
    OTHER_LOGS: "与其他网关的矛盾", "Contradictions with other gateways";
    SOURCES: "数据源", "Sources";
    READINGS: "读数", "Readings";
    BEYOND: "超出限值的读数", "Readings beyond their limits";
    BAD_LINES: "无法识别的行", "Lines that could not be read";
    EACH_SOURCE: "各数据源", "Each source";
    NOTHING_YET: "本次启动以来尚无数据", "Nothing since the start";
    OPEN_CODES: "未完成的包装或配方中的条码", "Codes in an open packing or recipe";
    SUSPECT: "存疑", "Doubtful";
    NOT_TAKEN: "未采用", "Not taken";
    CLOCK: "时钟", "Clock";
    CLOCK_SYNCED: "已同步", "Synchronised";
    CLOCK_UNSYNCED: "未同步", "Not synchronised";
    CLOCK_UNKNOWN: "未知，从开机起计时", "Unknown, counting from the start";
    CLOCK_STEPS: "被调整的次数", "Times that it was set";
    AGO: "前", "ago";
    SECONDS: "秒", "s";
    MINUTES: "分钟", "min";
    HOURS: "小时", "h";
    DAYS: "天", "d";
    NOT_PROVEN: "本页不能证明什么", "What this page does not prove";
    NOT_PROVEN_TEXT: "本页只显示本机自己知道的情况。事件是否已被记录和见证，请在产品页上核验。",
        "This page shows what this device knows of itself. Whether an event is recorded and witnessed is verified on the product's page.";
    OTHER_LANGUAGE: "English", "中文";
    RELOAD: "刷新", "Look again";
}
