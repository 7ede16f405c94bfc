//go:build !purego

#include "textflag.h"

// The kernel over codes: see codes_amd64.s. The Go assembler has no names for these instructions; tests check the
// encodings by running them.

// SXTL widens the low 8 bytes of register n to 8 halfwords in d (SSHLL Vd.8H, Vn.8B, #0); SXTL2 the high 8.
#define SXTL(n, d) WORD $(0x0F08A400 | (n)<<5 | (d))
#define SXTL2(n, d) WORD $(0x4F08A400 | (n)<<5 | (d))

// SMLAL adds the products of the low 4 halfwords of n and m to the 4 words of d; SMLAL2 those of the high 4.
#define SMLAL(m, n, d) WORD $(0x0E608000 | (m)<<16 | (n)<<5 | (d))
#define SMLAL2(m, n, d) WORD $(0x4E608000 | (m)<<16 | (n)<<5 | (d))

// func dotCodeRowsNEON(query *int16, n int, rows *int8, out *int32, count int)
//
// 32 elements at a time into sixteen lanes, V0-V3.
TEXT ·dotCodeRowsNEON(SB), NOSPLIT, $0-40
	MOVD query+0(FP), R8
	MOVD n+8(FP), R9
	MOVD rows+16(FP), R1
	MOVD out+24(FP), R12
	MOVD count+32(FP), R13

row:
	MOVD R8, R0
	MOVD R9, R3
	VEOR V0.B16, V0.B16, V0.B16
	VEOR V1.B16, V1.B16, V1.B16
	VEOR V2.B16, V2.B16, V2.B16
	VEOR V3.B16, V3.B16, V3.B16

block:
	PRFM 2048(R1), PLDL2STRM
	VLD1.P 32(R1), [V4.B16, V5.B16]
	VLD1.P 64(R0), [V16.H8, V17.H8, V18.H8, V19.H8]
	SXTL(4, 6)
	SXTL2(4, 7)
	SXTL(5, 20)
	SXTL2(5, 21)
	SMLAL(16, 6, 0)
	SMLAL2(16, 6, 1)
	SMLAL(17, 7, 2)
	SMLAL2(17, 7, 3)
	SMLAL(18, 20, 0)
	SMLAL2(18, 20, 1)
	SMLAL(19, 21, 2)
	SMLAL2(19, 21, 3)
	SUBS $32, R3, R3
	BNE  block

	VADD V1.S4, V0.S4, V0.S4
	VADD V3.S4, V2.S4, V2.S4
	VADD V2.S4, V0.S4, V0.S4
	VADDV V0.S4, V0
	FMOVS.P F0, 4(R12)
	SUBS $1, R13, R13
	BNE  row
	RET
