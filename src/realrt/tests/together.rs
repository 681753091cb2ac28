//! Two calls at a time.

use super::*;

/// A runtime that counts the calls that are made at a time, and says that the first one raises.
struct Tampered {
    played: Played,
    both: u32,
    raises: bool,
}

impl Runtime for Tampered {
    fn ask(&mut self, request: &Request) -> Result<Answer, Death> {
        let mut answer = self.played.ask(request)?;
        if let (Request::Both { .. }, Some(first)) = (request, &mut answer.first) {
            self.both += 1;
            first.ok &= !self.raises;
        }
        Ok(answer)
    }

    fn machine(&self) -> Machine {
        self.played.machine()
    }

    fn restart(&mut self) {
        self.played.restart();
    }
}

fn both(text: &str, raises: bool) -> (u32, Option<String>) {
    let played = Played::new(Machine::T3k, sound);
    let mut tampered = Tampered { played, both: 0, raises };
    let ran = run(&mut tampered, &case(text), &Check::default());
    let class = match ran {
        Ran::Deviated(deviation) => Some(deviation.class),
        Ran::Agreed(_) | Ran::Foreign => None,
    };
    (tampered.both, class)
}

/// What has nothing to do with each other is called at a time, whatever it comes to is compared,
/// and what tells an order is called in it.
#[test]
fn calls_on_two_threads_are_made_at_a_time() {
    let two = "t1: open m0 2x4\nt1: submesh m1 of m0 1x1\nt1: alloc b0 on m0 dram 1x2048\n\
               t2: alloc b1 on m1 l1 1x2048\nt1: deallocate b0\nt2: drop b1\n";
    let missing = Some("oracle: not-counted".to_owned());
    assert_eq!(both(two, false), (2, None));
    let raises = Some("mismatch: what alloc raises".to_owned());
    assert_eq!(both(two, true), (1, raises));
    assert_eq!(both(&two.replace("b1 on m1", "b1 on m0"), false), (1, missing.clone()), "one mesh");
    let captured = two.replace("t1: alloc", "t2: capture begin normal\nt1: alloc");
    assert_eq!(both(&captured, false).0, 0, "a capture would show an order");
    let second = two.replace("t1: submesh m1 of m0 1x1", "t1: open m1 1x1");
    assert_eq!(both(&second, false), (0, missing), "meshes that close each other");
    let views = "t1: open m0 2x4\nt1: alloc b0 on m0 dram 1x2048\nt1: share b1 of b0\n\
                 t1: deallocate-unforced b0\nt2: deallocate-unforced b1\n";
    assert_eq!(both(views, false).0, 0, "one tensor");
}

/// Programs have such calls.
#[test]
fn programs_make_calls_at_a_time() {
    let mut tampered =
        Tampered { played: Played::new(Machine::T3k, sound), both: 0, raises: false };
    for seed in 0..400 {
        run(&mut tampered, &program(Machine::T3k, seed), &Check::default());
    }
    assert!(tampered.both >= 20, "{}", tampered.both);
}
