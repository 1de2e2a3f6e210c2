//! Random numbers that belong to a task, whichever session runs it.
//!
//! A queue with a seed: the k-th task has the k-th stream of the generator MRG32k3a (P. L'Ecuyer, *Operations Research*
//! 47, 1999), which R calls "L'Ecuyer-CMRG". Streams are 2^127 numbers apart; the one that is k streams ahead of a
//! state is that state times the k-th power of a matrix, modulo two primes: what `parallel::nextRNGStream()` gives when
//! it is called k times. A stream has substreams, 2^76 numbers apart: one for each element of a map, which counts as
//! one task.
//!
//! A queue without a seed: each attempt has a seed of its own for whatever generator its user prefers.

use taskq_record::AttemptId;

/// A state of MRG32k3a: two times three numbers below the two primes.
pub type Stream = [u32; 6];

type Vector = [u64; 3];
type Matrix = [Vector; 3];

const M1: u64 = 4_294_967_087;
const M2: u64 = 4_294_944_443;

/// The 2^127th power of the matrix of the first half, by which a stream is left for the next.
const JUMP_1: Matrix = [
    [2_427_906_178, 3_580_155_704, 949_770_784],
    [226_153_695, 1_230_515_664, 3_580_155_704],
    [1_988_835_001, 986_791_581, 1_230_515_664],
];

/// That of the second half.
const JUMP_2: Matrix = [
    [1_464_411_153, 277_697_599, 1_610_723_613],
    [32_183_930, 1_464_411_153, 1_022_607_788],
    [2_824_425_944, 32_183_930, 2_093_834_863],
];

/// The 2^76th powers, by which a substream is left for the next.
const STEP_1: Matrix = [
    [82_758_667, 1_871_391_091, 4_127_413_238],
    [3_672_831_523, 69_195_019, 1_871_391_091],
    [3_672_091_415, 3_528_743_235, 69_195_019],
];

/// That of the second half.
const STEP_2: Matrix = [
    [1_511_326_704, 3_759_209_742, 1_610_795_712],
    [4_292_754_251, 1_511_326_704, 3_889_917_532],
    [3_859_662_829, 4_292_754_251, 3_708_466_080],
];

/// The state after R's `set.seed(seed, "L'Ecuyer-CMRG")`, `streams` streams ahead.
#[must_use]
pub fn stream(seed: i32, streams: u64) -> Stream {
    ahead(first(seed), streams, 0)
}

/// The state that is `streams` streams, and in that stream `substreams` substreams, ahead of this one.
#[must_use]
pub fn ahead(state: Stream, streams: u64, substreams: u64) -> Stream {
    let half = |at: usize| [0, 1, 2].map(|i| u64::from(state[at + i]));
    let jump = |state: Vector, base: [Matrix; 2], modulus: u64| {
        let state = times(&power(base[0], streams, modulus), &state, modulus);
        times(&power(base[1], substreams, modulus), &state, modulus)
    };
    let one = jump(half(0), [JUMP_1, STEP_1], M1);
    let two = jump(half(3), [JUMP_2, STEP_2], M2);
    // All are below the primes.
    [one[0], one[1], one[2], two[0], two[1], two[2]].map(|number| number as u32)
}

/// As `RNG_Init()` in R's `src/main/RNG.c` fills the state of this generator.
fn first(seed: i32) -> Stream {
    let next = |seed: u32| seed.wrapping_mul(69_069).wrapping_add(1);
    let mut seed = seed as u32;
    for _ in 0..50 {
        seed = next(seed);
    }
    [0; 6].map(|_| {
        seed = next(seed);
        while u64::from(seed) >= M2 {
            seed = next(seed);
        }
        seed
    })
}

/// The matrix `base` multiplied `exponent` times.
fn power(mut base: Matrix, mut exponent: u64, modulus: u64) -> Matrix {
    let mut result = [[1, 0, 0], [0, 1, 0], [0, 0, 1]];
    while exponent > 0 {
        if exponent % 2 == 1 {
            result = product(&result, &base, modulus);
        }
        base = product(&base, &base, modulus);
        exponent /= 2;
    }
    result
}

fn product(left: &Matrix, right: &Matrix, modulus: u64) -> Matrix {
    let column = |j: usize| times(left, &[right[0][j], right[1][j], right[2][j]], modulus);
    let columns = [column(0), column(1), column(2)];
    [0, 1, 2].map(|i| [columns[0][i], columns[1][i], columns[2][i]])
}

/// Each factor is below 2^32, so a product fits, and so does the sum of three numbers below the modulus.
fn times(matrix: &Matrix, vector: &Vector, modulus: u64) -> Vector {
    let row = |row: &Vector| (0..3).map(|i| row[i] * vector[i] % modulus).sum::<u64>() % modulus;
    [row(&matrix[0]), row(&matrix[1]), row(&matrix[2])]
}

/// What distinguishes the seeds of one queue from those of another: a hash (FNV-1a) of its token.
#[must_use]
pub fn salt(token: &str) -> u32 {
    token.bytes().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

/// A seed for `set.seed()`. Attempts of a queue have different ones: all first attempts of 2^32 tasks, and the first
/// hundred attempts of any ten million consecutive tasks.
#[must_use]
pub fn seed(salt: u32, attempt: AttemptId) -> i32 {
    let again = attempt.number.wrapping_sub(1).wrapping_mul(0x9e37_79b9);
    let key = (attempt.task.0 as u32).wrapping_add(again);
    match mixed(key.wrapping_add(salt)) as i32 {
        // R has no such integer. There is no task 0, so its seed is free.
        i32::MIN => mixed(salt) as i32,
        seed => seed,
    }
}

/// One to one (the finalizer of MurmurHash3).
fn mixed(mut number: u32) -> u32 {
    number ^= number >> 16;
    number = number.wrapping_mul(0x85eb_ca6b);
    number ^= number >> 13;
    number = number.wrapping_mul(0xc2b2_ae35);
    number ^ (number >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use taskq_record::id::TaskId;

    /// `set.seed(42, "L'Ecuyer-CMRG")` and `nextRNGStream()` of R 4.2.2.
    #[test]
    fn streams_are_those_of_r() {
        assert_eq!(
            stream(42, 0),
            [
                2_161_575_609,
                507_561_766,
                1_260_545_903,
                1_362_917_092,
                2_522_400_917,
                2_950_508_626
            ]
        );
        assert_eq!(
            stream(42, 1),
            [
                4_200_392_260,
                4_270_105_571,
                357_812_871,
                346_211_554,
                2_993_944_461,
                440_649_733
            ]
        );
        assert_eq!(
            stream(-1, 1000),
            [
                2_656_207_996,
                2_834_096_096,
                1_227_272_660,
                3_420_847_725,
                2_808_956_842,
                658_330_122
            ]
        );
    }

    #[test]
    fn a_jump_over_many_is_many_jumps() {
        let half = u64::MAX / 2;
        let far = product(&power(JUMP_1, half, M1), &power(JUMP_1, half, M1), M1);
        assert_eq!(power(JUMP_1, half * 2, M1), far);
        assert_ne!(stream(1, u64::MAX), stream(1, u64::MAX - 1));
    }

    #[test]
    fn there_are_as_many_substreams_in_a_stream_as_there_should_be() {
        let start = first(7);
        assert_eq!(ahead(start, 0, 1 << 51), ahead(start, 1, 0));
        assert_ne!(ahead(start, 0, 1), start);
    }

    #[test]
    fn attempts_have_seeds_of_their_own() {
        let mut seen = HashSet::new();
        for task in 1..=20_000 {
            for number in 1..=5 {
                let task = TaskId(task);
                assert!(seen.insert(seed(salt("queue"), AttemptId { task, number })));
            }
        }
        let task = TaskId(1);
        let attempt = AttemptId { task, number: 1 };
        assert_ne!(seed(salt("a"), attempt), seed(salt("b"), attempt));
    }
}
