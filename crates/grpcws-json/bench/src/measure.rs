//! CPU time per message: all contenders take turns, so that what disturbs the machine disturbs all of them, and the
//! median of the rounds counts.

use std::hint::black_box;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::contenders::Transcode;

/// How often each contender gets its turn.
const ROUNDS: usize = 41;
/// How long a turn takes, in nanoseconds.
const TURN: f64 = 4e6;

/// A contender for one message and direction; `None` where it does not take part.
pub struct Case {
    pub name: &'static str,
    pub transcode: Option<Transcode>,
}

/// Nanoseconds per message.
pub fn figures(cases: &mut [Case], source: &[u8]) -> Vec<Option<f64>> {
    let mut out = Vec::new();
    let mut turns: Vec<u32> = Vec::new();
    for case in cases.iter_mut() {
        turns.push(
            case.transcode.as_mut().map_or(0, |transcode| calls_in_a_turn(transcode, source, &mut out)),
        );
    }
    let mut rounds = vec![Vec::with_capacity(ROUNDS); cases.len()];
    for _ in 0..ROUNDS {
        for ((case, &calls), times) in cases.iter_mut().zip(&turns).zip(&mut rounds) {
            if let Some(transcode) = &mut case.transcode {
                times.push(timed(transcode, source, &mut out, calls) / f64::from(calls));
            }
        }
    }
    rounds.into_iter().map(median).collect()
}

fn calls_in_a_turn(transcode: &mut Transcode, source: &[u8], out: &mut Vec<u8>) -> u32 {
    let mut calls = 1;
    loop {
        let time = timed(transcode, source, out, calls);
        if time > TURN / 4.0 || calls > 1 << 24 {
            return ((f64::from(calls) * TURN / time) as u32).max(1);
        }
        calls *= 2;
    }
}

fn timed(transcode: &mut Transcode, source: &[u8], out: &mut Vec<u8>, calls: u32) -> f64 {
    let start = cpu_time();
    watched_loop(transcode, source, out, calls);
    (cpu_time() - start).as_secs_f64() * 1e9
}

fn median(mut times: Vec<f64>) -> Option<f64> {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied()
}

/// What this thread has used of a processor.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.cast_unsigned(), time.tv_nsec as u32)
}

/// Calls often enough that buffers have their size, and then where callgrind counts.
pub fn watched(transcode: &mut Transcode, source: &[u8], times: u32) {
    let mut out = Vec::new();
    for _ in 0..3 {
        out.clear();
        transcode(source, &mut out);
    }
    watched_loop(transcode, source, &mut out, times);
}

#[inline(never)]
fn watched_loop(transcode: &mut Transcode, source: &[u8], out: &mut Vec<u8>, calls: u32) {
    for _ in 0..calls {
        out.clear();
        black_box(transcode(black_box(source), out));
    }
}

/// A figure of the table.
pub fn cell(figure: f64) -> String {
    let digits = format!("{figure:.0}");
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
