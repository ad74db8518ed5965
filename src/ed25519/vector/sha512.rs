//! SHA-512 of eight messages at once, a message in each lane. Source: FIPS 180-4 §6.4.

use std::arch::x86_64::*;

use super::lanes::{Words, transposed};
use crate::ed25519::BLOCK_BYTES;

/// The fractional parts of the square roots of the first eight primes.
const INITIAL: [u64; 8] = [
    0x6a09_e667_f3bc_c908,
    0xbb67_ae85_84ca_a73b,
    0x3c6e_f372_fe94_f82b,
    0xa54f_f53a_5f1d_36f1,
    0x510e_527f_ade6_82d1,
    0x9b05_688c_2b3e_6c1f,
    0x1f83_d9ab_fb41_bd6b,
    0x5be0_cd19_137e_2179,
];

/// The fractional parts of the cube roots of the first eighty primes.
const ROUND: [u64; 80] = [
    0x428a_2f98_d728_ae22,
    0x7137_4491_23ef_65cd,
    0xb5c0_fbcf_ec4d_3b2f,
    0xe9b5_dba5_8189_dbbc,
    0x3956_c25b_f348_b538,
    0x59f1_11f1_b605_d019,
    0x923f_82a4_af19_4f9b,
    0xab1c_5ed5_da6d_8118,
    0xd807_aa98_a303_0242,
    0x1283_5b01_4570_6fbe,
    0x2431_85be_4ee4_b28c,
    0x550c_7dc3_d5ff_b4e2,
    0x72be_5d74_f27b_896f,
    0x80de_b1fe_3b16_96b1,
    0x9bdc_06a7_25c7_1235,
    0xc19b_f174_cf69_2694,
    0xe49b_69c1_9ef1_4ad2,
    0xefbe_4786_384f_25e3,
    0x0fc1_9dc6_8b8c_d5b5,
    0x240c_a1cc_77ac_9c65,
    0x2de9_2c6f_592b_0275,
    0x4a74_84aa_6ea6_e483,
    0x5cb0_a9dc_bd41_fbd4,
    0x76f9_88da_8311_53b5,
    0x983e_5152_ee66_dfab,
    0xa831_c66d_2db4_3210,
    0xb003_27c8_98fb_213f,
    0xbf59_7fc7_beef_0ee4,
    0xc6e0_0bf3_3da8_8fc2,
    0xd5a7_9147_930a_a725,
    0x06ca_6351_e003_826f,
    0x1429_2967_0a0e_6e70,
    0x27b7_0a85_46d2_2ffc,
    0x2e1b_2138_5c26_c926,
    0x4d2c_6dfc_5ac4_2aed,
    0x5338_0d13_9d95_b3df,
    0x650a_7354_8baf_63de,
    0x766a_0abb_3c77_b2a8,
    0x81c2_c92e_47ed_aee6,
    0x9272_2c85_1482_353b,
    0xa2bf_e8a1_4cf1_0364,
    0xa81a_664b_bc42_3001,
    0xc24b_8b70_d0f8_9791,
    0xc76c_51a3_0654_be30,
    0xd192_e819_d6ef_5218,
    0xd699_0624_5565_a910,
    0xf40e_3585_5771_202a,
    0x106a_a070_32bb_d1b8,
    0x19a4_c116_b8d2_d0c8,
    0x1e37_6c08_5141_ab53,
    0x2748_774c_df8e_eb99,
    0x34b0_bcb5_e19b_48a8,
    0x391c_0cb3_c5c9_5a63,
    0x4ed8_aa4a_e341_8acb,
    0x5b9c_ca4f_7763_e373,
    0x682e_6ff3_d6b2_b8a3,
    0x748f_82ee_5def_b2fc,
    0x78a5_636f_4317_2f60,
    0x84c8_7814_a1f0_ab72,
    0x8cc7_0208_1a64_39ec,
    0x90be_fffa_2363_1e28,
    0xa450_6ceb_de82_bde9,
    0xbef9_a3f7_b2c6_7915,
    0xc671_78f2_e372_532b,
    0xca27_3ece_ea26_619c,
    0xd186_b8c7_21c0_c207,
    0xeada_7dd6_cde0_eb1e,
    0xf57d_4f7f_ee6e_d178,
    0x06f0_67aa_7217_6fba,
    0x0a63_7dc5_a2c8_98a6,
    0x113f_9804_bef9_0dae,
    0x1b71_0b35_131c_471b,
    0x28db_77f5_2304_7d84,
    0x32ca_ab7b_40c7_2493,
    0x3c9e_be0a_15c9_bebc,
    0x431d_67c4_9c10_0d4c,
    0x4cc5_d4be_cb3e_42b6,
    0x597f_299c_fc65_7e2a,
    0x5fcb_6fab_3ad6_faec,
    0x6c44_198c_4a47_5817,
];

/// The state after all blocks of each message: its digest, as eight big-endian words.
///
/// `messages`: padded, whole blocks, at least one; they may differ in number.
#[target_feature(enable = "avx512f,avx512bw")]
pub(in crate::ed25519) fn sha512(messages: &[&[[u8; BLOCK_BYTES]]; 8]) -> Words {
    let mut state = INITIAL.map(|word| _mm512_set1_epi64(word as i64));
    let longest = messages.iter().map(|message| message.len()).max().unwrap_or(0);
    for at in 0..longest {
        // A lane whose message is over repeats an old block, and keeps its state.
        let going_on = (0..8).fold(0, |mask, lane| mask | u8::from(at < messages[lane].len()) << lane);
        let blocks = messages.map(|message| message.get(at).or(message.first()).unwrap_or(&[0; BLOCK_BYTES]));
        let next = compressed(&state, blocks);
        for (word, next) in state.iter_mut().zip(next) {
            *word = _mm512_mask_add_epi64(*word, going_on, *word, next);
        }
    }
    state
}

/// What a block of each message adds to the state.
#[target_feature(enable = "avx512f,avx512bw")]
fn compressed(state: &Words, blocks: [&[u8; BLOCK_BYTES]; 8]) -> Words {
    let mut schedule = big_endian(blocks);
    let mut s = *state;
    for first in (0..80).step_by(16) {
        for at in 0..16 {
            if first > 0 {
                let (w1, w9, w14) = (schedule[(at + 1) % 16], schedule[(at + 9) % 16], schedule[(at + 14) % 16]);
                let small0 = xor3(_mm512_ror_epi64::<1>(w1), _mm512_ror_epi64::<8>(w1), _mm512_srli_epi64::<7>(w1));
                let small1 =
                    xor3(_mm512_ror_epi64::<19>(w14), _mm512_ror_epi64::<61>(w14), _mm512_srli_epi64::<6>(w14));
                schedule[at] = add(add(schedule[at], small0), add(w9, small1));
            }
            let [a, b, c, d, e, f, g, h] = s;
            let key = _mm512_set1_epi64(ROUND[first + at] as i64);
            let big1 = xor3(_mm512_ror_epi64::<14>(e), _mm512_ror_epi64::<18>(e), _mm512_ror_epi64::<41>(e));
            let choice = _mm512_ternarylogic_epi64::<0xCA>(e, f, g); // e ? f : g
            let first_sum = add(add(h, add(schedule[at], key)), add(big1, choice));
            let big0 = xor3(_mm512_ror_epi64::<28>(a), _mm512_ror_epi64::<34>(a), _mm512_ror_epi64::<39>(a));
            let majority = _mm512_ternarylogic_epi64::<0xE8>(a, b, c);
            s = [add(first_sum, add(big0, majority)), a, b, c, add(d, first_sum), e, f, g];
        }
    }
    s
}

/// The sixteen words of a block of each message.
#[target_feature(enable = "avx512f,avx512bw")]
fn big_endian(blocks: [&[u8; BLOCK_BYTES]; 8]) -> [__m512i; 16] {
    let swap = _mm512_broadcast_i32x4(_mm_set_epi8(8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
    let (mut front, mut back) = ([_mm512_setzero_si512(); 8], [_mm512_setzero_si512(); 8]);
    for lane in 0..8 {
        let bytes = blocks[lane].as_ptr();
        // SAFETY: a block has twice 64 bytes; the loads ask for no alignment.
        (front[lane], back[lane]) =
            unsafe { (_mm512_loadu_si512(bytes.cast()), _mm512_loadu_si512(bytes.add(64).cast())) };
    }
    let ([a, b, c, d, e, f, g, h], [i, j, k, l, m, n, o, p]) = (transposed(front), transposed(back));
    let mut words = [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p];
    for word in &mut words {
        *word = _mm512_shuffle_epi8(*word, swap);
    }
    words
}

#[target_feature(enable = "avx512f")]
#[inline]
fn xor3(a: __m512i, b: __m512i, c: __m512i) -> __m512i {
    _mm512_ternarylogic_epi64::<0x96>(a, b, c)
}

#[target_feature(enable = "avx512f")]
#[inline]
fn add(a: __m512i, b: __m512i) -> __m512i {
    _mm512_add_epi64(a, b)
}
