//! The allocator's walk at five sizes, and first fit as the simulator uses it.
//!
//! `cargo bench --bench allocator`; the C++ class needs `CPP_NANOSECONDS` an operation.

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use freeorder::allocator::walk::{LIVE_BLOCK_COUNTS, Walk};
use freeorder::allocator::{ClearLowest, Direction, SearchPolicy};
use freeorder::units::Bytes;

const SEED: u64 = 1;

fn bench_walk(c: &mut Criterion) {
    let policies = [
        ("best fit", SearchPolicy::Best, LIVE_BLOCK_COUNTS.as_slice()),
        ("first fit", SearchPolicy::First, &[10, 16, 30, 60]),
    ];
    for (name, policy, counts) in policies {
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Elements(1));
        group.warm_up_time(Duration::from_millis(500));
        group.measurement_time(Duration::from_secs(2));
        for &live in counts {
            let mut walk = Walk::new(live, policy, SEED);
            walk.run(live as u64 * 20);
            group.bench_function(BenchmarkId::from_parameter(live), |b| {
                b.iter_custom(|operation_count| {
                    let start = Instant::now();
                    walk.run(operation_count);
                    start.elapsed()
                });
            });
        }
        group.finish();
    }
}

/// What a simulator does between two scenarios.
fn bench_clear(c: &mut Criterion) {
    let mut list = Walk::new(16, SearchPolicy::First, SEED).into_list();
    c.bench_function("fill 30 blocks and clear", |b| {
        b.iter(|| {
            for size in 1..=30 {
                list.allocate(Bytes(size * 2048), Direction::TopDown);
            }
            list.clear(ClearLowest::Reset);
        });
    });
}

criterion_group!(benches, bench_walk, bench_clear);
criterion_main!(benches);
