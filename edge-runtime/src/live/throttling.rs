//! Whether the machine is slowed down because of heat or power, as Linux says it.

use std::fs;
use std::path::{Path, PathBuf};

/// The Raspberry Pi's own word, below the root of the file system.
const PI: &str = "sys/devices/platform/soc/soc:firmware/get_throttled";
/// The bits of it that are about now; those about the past are 16 higher.
const PI_BITS: [(u32, &str); 4] = [
    (0, "too little voltage (use a stronger power supply)"),
    (1, "clock limited"),
    (2, "slowed down"),
    (3, "soft temperature limit reached"),
];
/// Below this part of its highest clock a hot processor counts as slowed down.
const SLOW: f64 = 0.9;

/// Looks at what Linux says about heat and clocks; everywhere else there is nothing to see.
#[derive(Debug)]
pub struct Throttling {
    root: PathBuf,
    /// What was said last.
    said: Option<String>,
}

impl Throttling {
    /// The machine that this program runs on.
    pub fn of_this_machine() -> Throttling {
        Throttling::below(Path::new("/"))
    }

    /// A machine whose `sys` folder is in another folder, for tests.
    pub fn below(root: &Path) -> Throttling {
        Throttling {
            root: root.into(),
            said: None,
        }
    }

    /// What is to be said now: once when it becomes slow, or for another reason; once when it is
    /// over.
    pub fn change(&mut self) -> Option<String> {
        let state = self.state();
        if state == self.said {
            return None;
        }
        let line = match &state {
            Some(reason) => format!("this machine is slowed down: {reason}"),
            None => "this machine is no longer slowed down".into(),
        };
        self.said = state;
        Some(line)
    }

    /// Why the machine is slow; none when it is not, or does not say.
    fn state(&self) -> Option<String> {
        let pi = self.pi();
        if pi.is_some() {
            return pi;
        }
        let zone = self.hot_zone()?;
        // Hot alone costs nothing, and a low clock alone is a machine at rest.
        let (now, highest) = self.clock()?;
        (now < SLOW * highest).then(|| {
            let highest = highest / 1e6;
            format!("{zone} is at its limit, and no core reaches its {highest:.1} GHz")
        })
    }

    fn pi(&self) -> Option<String> {
        let text = fs::read_to_string(self.root.join(PI)).ok()?;
        let text = text.trim();
        let bits = u32::from_str_radix(text.trim_start_matches("0x"), 16).ok()?;
        let set = PI_BITS.iter().filter(|(bit, _)| bits & (1 << bit) != 0);
        let reasons: Vec<&str> = set.map(|(_, reason)| *reason).collect();
        (!reasons.is_empty()).then(|| reasons.join(", "))
    }

    /// The name of a thermal zone that has reached one of its trip points.
    fn hot_zone(&self) -> Option<String> {
        let zones = fs::read_dir(self.root.join("sys/class/thermal")).ok()?;
        let mut hot: Vec<String> = zones
            .filter_map(|zone| Some(zone.ok()?.path()))
            .filter(|zone| is_hot(zone).unwrap_or_default())
            .filter_map(|zone| {
                Some(
                    fs::read_to_string(zone.join("type"))
                        .ok()?
                        .trim()
                        .to_owned(),
                )
            })
            .collect();
        hot.sort();
        hot.into_iter().next()
    }

    /// The clock of the fastest core now, and the highest that it has, in kHz.
    fn clock(&self) -> Option<(f64, f64)> {
        let cores = fs::read_dir(self.root.join("sys/devices/system/cpu")).ok()?;
        let clocks = cores.filter_map(|core| {
            let folder = core.ok()?.path().join("cpufreq");
            let now = number(&folder.join("scaling_cur_freq"))?;
            Some((now, number(&folder.join("cpuinfo_max_freq"))?))
        });
        clocks.reduce(|a, b| (a.0.max(b.0), a.1.max(b.1)))
    }
}

/// Whether a zone has reached a trip point at which the system slows down.
fn is_hot(zone: &Path) -> Option<bool> {
    let temperature = number(&zone.join("temp"))?;
    let limits = (0..16).map_while(|index| {
        let kind = fs::read_to_string(zone.join(format!("trip_point_{index}_type"))).ok()?;
        let limit = number(&zone.join(format!("trip_point_{index}_temp")));
        Some(limit.filter(|_| matches!(kind.trim(), "passive" | "hot" | "critical")))
    });
    let lowest = limits
        .flatten()
        .filter(|limit| *limit > 0.0)
        .reduce(f64::min)?;
    Some(temperature >= lowest)
}

fn number(path: &Path) -> Option<f64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Machine(tempfile::TempDir);

    impl Machine {
        fn write(&self, path: &str, text: &str) {
            let path = self.0.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }

    #[test]
    fn heat_with_a_low_clock_is_said_once_and_its_end_too() {
        let machine = Machine(tempfile::tempdir().unwrap());
        let mut throttling = Throttling::below(machine.0.path());
        assert_eq!(throttling.change(), None);
        let zone = |file: &str, text: &str| {
            machine.write(&format!("sys/class/thermal/thermal_zone0/{file}"), text);
        };
        let core = |file: &str, text: &str| {
            machine.write(&format!("sys/devices/system/cpu/cpu0/cpufreq/{file}"), text);
        };
        zone("type", "cpu-thermal\n");
        zone("trip_point_0_type", "active\n");
        zone("trip_point_0_temp", "40000\n");
        zone("trip_point_1_type", "passive\n");
        zone("trip_point_1_temp", "80000\n");
        zone("temp", "60000\n");
        core("scaling_cur_freq", "600000\n");
        core("cpuinfo_max_freq", "2400000\n");
        assert_eq!(
            throttling.change(),
            None,
            "a machine at rest is not slowed down"
        );
        zone("temp", "81000\n");
        let said = throttling.change().unwrap();
        assert!(
            said.contains("cpu-thermal") && said.contains("2.4 GHz"),
            "{said}"
        );
        assert_eq!(throttling.change(), None, "said once");
        core("scaling_cur_freq", "2400000\n");
        assert!(throttling.change().unwrap().contains("no longer"));
        assert_eq!(throttling.change(), None);
    }

    #[test]
    fn the_raspberry_pi_speaks_in_bits() {
        let machine = Machine(tempfile::tempdir().unwrap());
        let mut throttling = Throttling::below(machine.0.path());
        machine.write(PI, "50000\n");
        assert_eq!(throttling.change(), None, "what was is over");
        machine.write(PI, "50005\n");
        let said = throttling.change().unwrap();
        assert!(
            said.contains("voltage") && said.contains("slowed down"),
            "{said}"
        );
        machine.write(PI, "not a number");
        assert!(throttling.change().unwrap().contains("no longer"));
    }
}
