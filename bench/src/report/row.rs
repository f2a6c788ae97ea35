//! One target in one scenario.

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::load::histogram;
use crate::sample::Sample;
use crate::scenario::Scenario;
use crate::target::Target;

/// One target in one scenario: medians over its samples, and the samples' main figures.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) scenario: &'static str,
    pub(crate) about: &'static str,
    pub(crate) backend: &'static str,
    pub(crate) target: &'static str,
    /// Microseconds of CPU of the target's process for each message.
    pub(crate) cpu_us: Option<f64>,
    /// Messages for each second of that CPU.
    pub(crate) per_cpu_second: Option<f64>,
    /// Messages for each second of wall time.
    pub(crate) rate: Option<f64>,
    /// Latencies of all samples together, in microseconds.
    pub(crate) latency_us: Option<Latency>,
    pub(crate) peak_rss: Option<u64>,
    pub(crate) rss_per_socket: Option<u64>,
    /// Microseconds of CPU of the generator for each message.
    pub(crate) generator_us: Option<f64>,
    pub(crate) errors: u64,
    pub(crate) first_error: Option<String>,
    /// How many times the CPU of this target the reference takes: the median over pairs of samples.
    pub(crate) ratio: Option<f64>,
    /// Why there are no figures, or fewer than there should be.
    pub(crate) failed: Option<String>,
    pub(crate) samples: Vec<Measured>,
    #[serde(skip)]
    latency: Histogram<u64>,
}

/// Percentiles of latency.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
}

/// The figures of one sample.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Measured {
    messages: u64,
    seconds: f64,
    cpu_seconds: f64,
    generator_cpu_seconds: f64,
    cpu_us: Option<f64>,
}

impl Row {
    pub(crate) fn new(scenario: &Scenario, target: &Target) -> Self {
        Self {
            scenario: scenario.name,
            about: scenario.about,
            backend: scenario.backend.name(),
            target: target.name,
            cpu_us: None,
            per_cpu_second: None,
            rate: None,
            latency_us: None,
            peak_rss: None,
            rss_per_socket: None,
            generator_us: None,
            errors: 0,
            first_error: None,
            ratio: None,
            failed: None,
            samples: Vec::new(),
            latency: histogram(),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of messages are far below 2^52")]
    pub(crate) fn add(&mut self, sample: Sample) {
        let messages = sample.messages as f64;
        let cpu_us =
            sample.cpu_per_message().filter(|cpu| *cpu > 0.0).map(|nanoseconds| nanoseconds / 1_000.0);
        self.samples.push(Measured {
            messages: sample.messages,
            seconds: sample.elapsed.as_secs_f64(),
            cpu_seconds: sample.cpu.as_secs_f64(),
            generator_cpu_seconds: sample.generator.as_secs_f64(),
            cpu_us,
        });
        let of = |value: fn(&Measured) -> Option<f64>| median(self.samples.iter().filter_map(value));
        let cpu = of(|sample| sample.cpu_us);
        let rate = of(|sample| Some(sample.messages as f64 / sample.seconds));
        let generator = of(|sample| {
            (sample.messages > 0).then(|| sample.generator_cpu_seconds * 1e6 / sample.messages as f64)
        });
        self.cpu_us = cpu;
        self.per_cpu_second = cpu.filter(|cpu| *cpu > 0.0).map(|cpu| 1e6 / cpu);
        self.rate = rate.filter(|_| messages > 0.0);
        self.generator_us = generator.filter(|generator| *generator > 0.0);
        // The histograms have the same bounds.
        let _ = self.latency.add(&sample.latency);
        let at = |quantile| self.latency.value_at_quantile(quantile) as f64 / 1_000.0;
        self.latency_us =
            (!self.latency.is_empty()).then(|| Latency { p50: at(0.5), p99: at(0.99), p999: at(0.999) });
        self.peak_rss = self.peak_rss.max(Some(sample.peak_rss).filter(|peak| *peak > 0));
        self.rss_per_socket = self.rss_per_socket.or(sample.rss_per_socket);
        self.errors += sample.errors;
        self.first_error = self.first_error.take().or(sample.first_error);
        if sample.messages == 0 && self.failed.is_none() {
            self.failed = Some("no message came".to_owned());
        }
    }

    /// The CPU time per message of each sample.
    pub(crate) fn cpu(&self) -> Vec<Option<f64>> {
        self.samples.iter().map(|sample| sample.cpu_us).collect()
    }

    /// Sets the ratio to the reference, sample by sample.
    pub(crate) fn compare(&mut self, reference: &[Option<f64>]) {
        let pairs = self.samples.iter().zip(reference);
        let ratios = pairs.filter_map(|(sample, reference)| Some((*reference)? / sample.cpu_us?));
        self.ratio = median(ratios.filter(|ratio| ratio.is_finite()));
    }
}

/// The middle value; of two middle ones the mean.
fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = values.get(middle).copied()?;
    match values.len() % 2 {
        0 => values.get(middle - 1).map(|lower| (lower + upper) / 2.0),
        _ => Some(upper),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), Some(2.0));
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), Some(2.5));
        assert_eq!(median([].into_iter()), None);
    }
}
