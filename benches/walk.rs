//! The whole model with every oracle: eight devices, sequences of 100 operations.
//!
//! `cargo bench --bench walk`; generation and reset are part of what is timed.

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use freeorder::fix::Preset;
use freeorder::journal::Tracking;
use freeorder::measure::Walk;
use freeorder::server::ServerKind;

fn bench_walk(c: &mut Criterion) {
    let mut group = c.benchmark_group("walk");
    group.throughput(Throughput::Elements(Walk::OPERATIONS));
    group.warm_up_time(Duration::from_millis(500));
    group.measurement_time(Duration::from_secs(3));
    let cases = [
        ("final k2", Preset::Final, ServerKind::K2, Tracking::NONE),
        ("upstream-shm shm", Preset::UpstreamShm, ServerKind::Shm, Tracking::NONE),
        ("final k2, undo and hash", Preset::Final, ServerKind::K2, Tracking::FULL),
    ];
    for (name, preset, server, tracking) in cases {
        let mut walk = Walk::new(preset.fixes(), server, tracking);
        let mut seed = 0;
        group.bench_function(BenchmarkId::from_parameter(name), |b| {
            b.iter_custom(|sequences| {
                let start = Instant::now();
                for _ in 0..sequences {
                    seed += 1;
                    walk.sequence(seed);
                }
                start.elapsed()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, bench_walk);
criterion_main!(benches);
