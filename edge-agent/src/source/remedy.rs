//! What a person can do about a source in trouble: on the status page in both languages, in the log and
//! by `edge-agent doctor` in English. Words in code marks are fields of the configuration.

use crate::state::Text;

macro_rules! remedies {
    ($($name:ident: $zh:literal, $en:literal;)*) => {
        $(pub(super) const $name: Text = Text { zh: $zh, en: $en };)*
        /// All of them, for the test that none is missing.
        #[cfg(test)]
        const ALL: &[Text] = &[$($name),*];
    };
}

remedies! {
    SENSOR: "检查传感器的接线和供电。", "check the sensor's wiring and power";
    TRUE_VALUE: "检查传感器和接线；若数值属实，请放宽 `plausible_min` 和 `plausible_max`。",
        "check sensor and wiring; if the value is true, widen `plausible_min` and `plausible_max`";
    STUCK: "检查传感器是否仍在测量；若正常，请加长 `stuck_s`。",
        "check that the sensor still measures; else lengthen `stuck_s`";
    UNIT: "把设备调回原来的单位，或更正 `uom` 和 `scale` 后重启 edge-agent。",
        "set the device back to its unit, or correct `uom` and `scale` and restart the agent";
    MODBUS_ADDRESS: "检查设备是否开机，以及能否通过 `address` 访问。",
        "check that the device is on and reachable at `address`";
    MODBUS_UNIT: "检查 `unit`；若为串行线，还要检查波特率、校验位，以及 A、B 线是否接反。",
        "check `unit`; on a serial line also baud, parity, and that A and B are not swapped";
    MODBUS_REGISTER: "对照设备手册检查 `table`、`register` 和 `unit`。",
        "compare `table`, `register` and `unit` with the device's manual";
    MODBUS_TIME: "让数值和时间位于相邻的寄存器，或去掉 `time_register`。",
        "put value and time into neighbouring registers, or leave `time_register` out";
    BUS: "检查总线的接线和上拉电阻。", "check the bus's wiring and pull-up";
    ONE_WIRE: "检查 1-Wire 总线的接线、长度和上拉电阻（4.7 kΩ）。",
        "check wiring, length and pull-up (4.7 kOhm) of the 1-Wire bus";
    ONE_WIRE_POWER: "传感器断过电或没有供电：检查供电，或由寄生供电改为三线制。",
        "the sensor lost power or had none: check its supply, or leave parasitic power for three wires";
    CHANNEL: "检查 `channel` 是否正确。", "check that `channel` is the right one";
    CHIP_INPUT: "检查芯片输入端的传感器。", "check the sensor at the chip's input";
    DRIVER: "检查接线、驱动是否已加载，以及 `device`（ls /sys/bus）。",
        "check the wiring, that its driver is loaded, and `device` (ls /sys/bus)";
    BY_FOLDER: "请用文件夹名来指定设备。", "name the device by its folder";
    MAY_READ: "让运行 edge-agent 的用户有权读取它。", "give the agent's user the right to read it";
    RESTART: "重启 edge-agent。", "restart the agent";
    GPSD: "检查 gpsd 是否运行，并在 `address` 监听（systemctl status gpsd.socket）。",
        "check that gpsd runs and listens at `address` (systemctl status gpsd.socket)";
    RECEIVER: "检查接收机，以及天线能否看到天空（cgps）。",
        "check the receiver and its antenna's view of the sky (cgps)";
    SERIAL: "检查线缆和 `port`，运行 edge-agent 的用户须在 dialout 组，且没有其他程序占用该端口。",
        "check the cable and `port`, that the agent's user is in group dialout, and that nobody else uses it";
    KEYBOARD: "检查插头和 `path`（ls -l /dev/input/by-id），运行 edge-agent 的用户须在 input 组，且没有其他程序独占它。",
        "check the plug and `path` (ls -l /dev/input/by-id), that the agent's user is in group input, and that nobody else has grabbed it";
    FILE: "让运行 edge-agent 的用户可以读取该文件，并检查磁盘。",
        "let the agent's user read the file, and check its disk";
    LINES_FOLDER: "创建 `path` 所在的文件夹，或更正 `path`。",
        "make the folder that `path` is in, or correct `path`";
    NO_FILE: "请指定文件或命名管道。", "name a file or a named pipe";
    FOLDER: "创建该文件夹，并让运行 edge-agent 的用户可以读写。",
        "make the folder, and let the agent's user read and write it";
    MOVE: "让运行 edge-agent 的用户可以写入这两个文件夹，且二者在同一文件系统上。",
        "let the agent's user write both folders, on one file system";
    REJECTS: "让运行 edge-agent 的用户可以写入 rejects 文件，并检查磁盘。",
        "let the agent's user write the rejects file, and check its disk";
    REJECTS_FOLDER: "创建该文件夹，并让运行 edge-agent 的用户可以写入。",
        "make the folder, writable for the agent's user";
    OUTBOX: "查看 edge-agent 关于发件箱的说明。", "see what the agent says of its outbox";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_says_the_same_fields_in_both_languages() {
        for remedy in ALL {
            let fields = |text: &'static str| {
                let mut fields: Vec<&str> = text.split('`').skip(1).step_by(2).collect();
                fields.sort_unstable();
                fields
            };
            assert_eq!(fields(remedy.zh), fields(remedy.en), "{remedy:?}");
            assert!(remedy.zh.ends_with('。') && !remedy.zh.is_ascii());
            assert!(!remedy.en.is_empty() && !remedy.en.ends_with('.'));
        }
    }
}
