//! Trees as the kernel shows them. The `w1_slave` texts are those of the kernel's documentation and
//! of DS18B20 sensors on a Raspberry Pi; IIO and hwmon trees are as `find /sys/... -type f` shows
//! them for a BME280, an ADS1115 and an SHT3x.

use super::super::judge::{Doubt, Judge, Limits, Verdict};
use super::*;
use crate::config::{Config, SourceConfig};

struct Tree(tempfile::TempDir);

impl Tree {
    fn new(files: &[(&str, &str)]) -> Self {
        let tree = Self(tempfile::tempdir().expect("folder"));
        for (path, text) in files {
            tree.put(path, text);
        }
        tree
    }

    fn put(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        std::fs::create_dir_all(path.parent().expect("parent")).expect("folders");
        std::fs::write(path, text).expect("written");
    }

    fn device(&self, fields: &str) -> SysfsDevice {
        let text = format!(
            "state = \"/tmp/x\"\n[[source]]\nroot = \"{}\"\ninterval_s = 60\n\
             sensor = \"https://id.gs1.org/8004/9521001PROBE1\"\n\
             place = \"https://id.gs1.org/414/9521001000024\"\n{fields}\n",
            self.0.path().display()
        );
        let config = Config::parse("a.toml", &text).expect("config");
        match &config.sources[..] {
            [SourceConfig::Sysfs(sysfs)] => SysfsDevice::new(sysfs),
            other => panic!("{other:?}"),
        }
    }
}

async fn one(device: &mut SysfsDevice) -> Result<Sample, Trouble> {
    let samples = device.read(Instant::default()).await?;
    Ok(samples.into_iter().next().expect("one sample"))
}

const W1: &str = "bus/w1/devices/28-00000720b1f3/w1_slave";
const THERMOMETER: &str = "type = \"onewire\"\ndevice = \"28-00000720b1f3\"\n\
     measurement = \"Temperature\"\nuom = \"CEL\"";

#[tokio::test]
async fn a_thermometer_is_read_and_its_crc_believed() {
    let good = "72 01 4b 46 7f ff 0e 10 57 : crc=57 YES\n72 01 4b 46 7f ff 0e 10 57 t=23125\n";
    let tree = Tree::new(&[(W1, good)]);
    let mut device = tree.device(THERMOMETER);
    assert_eq!(one(&mut device).await.expect("read").value, Some(23.125));
    let below = "5e ff 4b 46 7f ff 02 10 a2 : crc=a2 YES\n5e ff 4b 46 7f ff 02 10 a2 t=-10125\n";
    tree.put(W1, below);
    assert_eq!(one(&mut device).await.expect("read").value, Some(-10.125));
    let disturbed = "72 01 4b 46 7f ff 0e 10 57 : crc=c8 NO\n72 01 4b 46 7f ff 0e 10 57 t=23125\n";
    tree.put(W1, disturbed);
    let trouble = one(&mut device).await.expect_err("wrong CRC");
    assert!(trouble.cause.starts_with("CRC"), "{trouble}");
    let ground = "00 00 00 00 00 00 00 00 00 : crc=00 YES\n00 00 00 00 00 00 00 00 00 t=0\n";
    tree.put(W1, ground);
    let trouble = one(&mut device).await.expect_err("no value");
    assert!(trouble.cause.contains("shorted"), "{trouble}");
    for torn in [
        "",
        "72 01",
        "72 01 4b : crc=57 YES\n t=5",
        "xx : crc=00 YES\nt=1",
    ] {
        tree.put(W1, torn);
        assert!(one(&mut device).await.is_err(), "{torn}");
    }
    std::fs::remove_file(tree.0.path().join(W1)).expect("removed");
    let trouble = one(&mut device).await.expect_err("gone");
    assert!(trouble.remedy.en.contains("wiring"), "{trouble:?}");
}

#[tokio::test]
async fn the_power_on_value_is_no_temperature() {
    let started = "50 05 4b 46 7f ff 0c 10 1c : crc=1c YES\n50 05 4b 46 7f ff 0c 10 1c t=85000\n";
    let tree = Tree::new(&[(W1, started)]);
    let mut device = tree.device(THERMOMETER);
    let trouble = one(&mut device).await.expect_err("refused");
    assert!(trouble.cause.contains("power-on"), "{trouble}");
    // A copy whose memory does not tell: doubtful, unless it was near before.
    let copy = "50 05 4b 46 7f ff 10 10 21 : crc=21 YES\n50 05 4b 46 7f ff 10 10 21 t=85000\n";
    tree.put(W1, copy);
    let doubtful = one(&mut device).await.expect("read");
    assert_eq!(doubtful.value, Some(85.0));
    assert!(matches!(doubtful.doubt, Some(Doubt::Device(_))));
    let near = "40 05 4b 46 7f ff 10 10 21 : crc=21 YES\n40 05 4b 46 7f ff 10 10 21 t=84000\n";
    tree.put(W1, near);
    assert_eq!(one(&mut device).await.expect("read").doubt, None);
    tree.put(W1, copy);
    let hot = one(&mut device).await.expect("read");
    assert_eq!((hot.value, hot.doubt), (Some(85.0), None));
}

const BME280: [(&str, &str); 3] = [
    ("bus/iio/devices/iio:device1/name", "bme280\n"),
    ("bus/iio/devices/iio:device1/in_temp_input", "23430\n"),
    (
        "bus/iio/devices/iio:device1/in_humidityrelative_input",
        "47121.093750000\n",
    ),
];

#[tokio::test]
async fn an_iio_device_is_found_by_its_name_whatever_its_number() {
    let tree = Tree::new(&BME280);
    let fields = "type = \"iio\"\ndevice = \"bme280\"\nchannel = \"temp\"\n\
         measurement = \"Temperature\"\nuom = \"CEL\"";
    let mut device = tree.device(fields);
    assert_eq!(one(&mut device).await.expect("read").value, Some(23.43));
    let humidity = fields
        .replace("\"temp\"", "\"humidityrelative\"")
        .replace("Temperature", "RelativeHumidity")
        .replace("CEL", "P1");
    let mut device = tree.device(&humidity);
    assert_eq!(one(&mut device).await.expect("read").value, Some(47.121094));
    tree.put("bus/iio/devices/iio:device7/name", "bme280\n");
    let trouble = one(&mut device).await.expect_err("which one?");
    assert!(trouble.cause.contains("several"), "{trouble}");
    tree.put("bus/iio/devices/iio:device1/in_temp_input", "nan\n");
    let mut device = tree.device(&fields.replace("bme280", "iio:device1"));
    let trouble = one(&mut device).await.expect_err("no number");
    assert!(trouble.cause.contains("no number"), "{trouble}");
}

#[tokio::test]
async fn raw_values_have_offset_and_scale_and_another_scale_is_another_unit() {
    let folder = "bus/iio/devices/iio:device0";
    let file = |name: &str| format!("{folder}/{name}");
    let tree = Tree::new(&[
        (&file("name"), "ads1115\n"),
        (&file("in_voltage0_raw"), "1200\n"),
        (&file("in_voltage0_offset"), "-100\n"),
        (&file("in_voltage_scale"), "0.125\n"),
    ]);
    let fields = "type = \"iio\"\ndevice = \"iio:device0\"\nchannel = \"voltage0\"\n\
         scale = 0.001\nmeasurement = \"Voltage\"\nuom = \"VLT\"";
    let mut device = tree.device(fields);
    let first = one(&mut device).await.expect("read");
    assert_eq!(first.value, Some(0.1375));
    tree.put(&file("in_voltage_scale"), "0.25\n");
    let second = one(&mut device).await.expect("read");
    let mut judge = Judge::new(Limits::default());
    assert_eq!(judge.judge(Instant::default(), &first), Verdict::Good);
    let verdict = judge.judge(Instant::default(), &second);
    assert!(
        matches!(verdict, Verdict::Suspect(Doubt::Unit { .. })),
        "{verdict:?}"
    );
    // Where the device changes its range by itself, the configuration says so.
    let mut ranging = tree.device(&format!("{fields}\nscale_may_change = true"));
    assert_eq!(one(&mut ranging).await.expect("read").unit, "");
}

#[tokio::test]
async fn a_hwmon_chip_says_when_its_sensor_is_broken() {
    let tree = Tree::new(&[
        ("class/hwmon/hwmon2/name", "sht3x\n"),
        ("class/hwmon/hwmon2/temp1_input", "-18042\n"),
        ("class/hwmon/hwmon2/temp1_fault", "0\n"),
    ]);
    let fields = "type = \"hwmon\"\ndevice = \"sht3x\"\nchannel = \"temp1\"\n\
         measurement = \"Temperature\"\nuom = \"CEL\"";
    let mut device = tree.device(fields);
    assert_eq!(one(&mut device).await.expect("read").value, Some(-18.042));
    tree.put("class/hwmon/hwmon2/temp1_fault", "1\n");
    let trouble = one(&mut device).await.expect_err("broken");
    assert!(trouble.cause.contains("broken sensor"), "{trouble}");
}
