//go:build !purego

#include "textflag.h"

// Kernels for AVX2 with FMA, in the order of operations that the package comment
// fixes: 64 lanes in eight registers a row. BX is the byte offset inside a row.

DATA iota256<>+0x00(SB)/4, $0
DATA iota256<>+0x04(SB)/4, $1
DATA iota256<>+0x08(SB)/4, $2
DATA iota256<>+0x0c(SB)/4, $3
DATA iota256<>+0x10(SB)/4, $4
DATA iota256<>+0x14(SB)/4, $5
DATA iota256<>+0x18(SB)/4, $6
DATA iota256<>+0x1c(SB)/4, $7
GLOBL iota256<>(SB), RODATA|NOPTR, $32

// SPLIT256 turns the element count in CX into R9, the bytes in whole blocks of 64,
// and CX, the elements left; Y12 becomes 0..7 and Y14 eight times 8.
#define SPLIT256(tmp) \
	MOVQ  CX, R9 \
	ANDQ  $~63, R9 \
	SHLQ  $2, R9 \
	ANDQ  $63, CX \
	VMOVDQU iota256<>(SB), Y12 \
	MOVL  $8, tmp \
	VMOVD tmp, X14 \
	VPBROADCASTD X14, Y14

// ZERO256 clears the lanes of one row.
#define ZERO256 \
	VXORPS Y0, Y0, Y0 \
	VXORPS Y1, Y1, Y1 \
	VXORPS Y2, Y2, Y2 \
	VXORPS Y3, Y3, Y3 \
	VXORPS Y4, Y4, Y4 \
	VXORPS Y5, Y5, Y5 \
	VXORPS Y6, Y6, Y6 \
	VXORPS Y7, Y7, Y7

// BLOCK256 adds 64 elements of the row at DI, times the query at SI, to the lanes.
#define BLOCK256 \
	VMOVUPS (SI)(BX*1), Y8 \
	VMOVUPS 32(SI)(BX*1), Y9 \
	VMOVUPS 64(SI)(BX*1), Y10 \
	VMOVUPS 96(SI)(BX*1), Y11 \
	VFMADD231PS (DI)(BX*1), Y8, Y0 \
	VFMADD231PS 32(DI)(BX*1), Y9, Y1 \
	VFMADD231PS 64(DI)(BX*1), Y10, Y2 \
	VFMADD231PS 96(DI)(BX*1), Y11, Y3 \
	VMOVUPS 128(SI)(BX*1), Y8 \
	VMOVUPS 160(SI)(BX*1), Y9 \
	VMOVUPS 192(SI)(BX*1), Y10 \
	VMOVUPS 224(SI)(BX*1), Y11 \
	VFMADD231PS 128(DI)(BX*1), Y8, Y4 \
	VFMADD231PS 160(DI)(BX*1), Y9, Y5 \
	VFMADD231PS 192(DI)(BX*1), Y10, Y6 \
	VFMADD231PS 224(DI)(BX*1), Y11, Y7

// STEP256 adds up to 8 of the elements left, whose count Y13 holds in every lane: the
// mask is (left > lane), masked lanes read nothing and hold 0.
#define STEP256(offset, acc) \
	VPCMPGTD Y12, Y13, Y15 \
	VMASKMOVPS offset(SI)(BX*1), Y15, Y8 \
	VMASKMOVPS offset(DI)(BX*1), Y15, Y9 \
	VFMADD231PS Y9, Y8, acc \
	VPSUBD Y14, Y13, Y13

// TAIL256 is BLOCK256 for the last elements of a row, filled up with zeros.
#define TAIL256 \
	VMOVD CX, X13 \
	VPBROADCASTD X13, Y13 \
	STEP256(0, Y0) \
	STEP256(32, Y1) \
	STEP256(64, Y2) \
	STEP256(96, Y3) \
	STEP256(128, Y4) \
	STEP256(160, Y5) \
	STEP256(192, Y6) \
	STEP256(224, Y7)

// FOLD256 folds the 64 lanes in halves (32, 16, 8, 4, 2, 1) into the lowest lane of X0.
#define FOLD256 \
	VADDPS Y4, Y0, Y0 \
	VADDPS Y5, Y1, Y1 \
	VADDPS Y6, Y2, Y2 \
	VADDPS Y7, Y3, Y3 \
	VADDPS Y2, Y0, Y0 \
	VADDPS Y3, Y1, Y1 \
	VADDPS Y1, Y0, Y0 \
	VEXTRACTF128 $1, Y0, X1 \
	VADDPS X1, X0, X0 \
	VPERMILPD $1, X0, X1 \
	VADDPS X1, X0, X0 \
	VMOVSHDUP X0, X1 \
	VADDSS X1, X0, X0

// func dotAVX2(a, b *float32, n int) float32
TEXT ·dotAVX2(SB), NOSPLIT, $0-28
	MOVQ a+0(FP), SI
	MOVQ b+8(FP), DI
	MOVQ n+16(FP), CX
	SPLIT256(AX)
	ZERO256
	XORL BX, BX
	TESTQ R9, R9
	JZ    tail

block:
	BLOCK256
	ADDQ $256, BX
	CMPQ BX, R9
	JB   block

tail:
	TESTQ CX, CX
	JZ    fold
	TAIL256

fold:
	FOLD256
	VMOVSS X0, ret+24(FP)
	VZEROUPPER
	RET

// func dotRowsAVX2(query *float32, n int, rows *float32, stride int, out *float32, count int)
//
// One row at a time: the lanes of one row take half of the sixteen registers. The
// prefetch reaches 1536 bytes ahead into the second level (measured on Zen 4: 4096
// bytes, or the first level, lose a tenth and more).
// n and count are positive.
TEXT ·dotRowsAVX2(SB), NOSPLIT, $0-48
	MOVQ query+0(FP), SI
	MOVQ n+8(FP), CX
	MOVQ rows+16(FP), DI
	MOVQ stride+24(FP), R8
	MOVQ out+32(FP), DX
	MOVQ count+40(FP), R10
	SHLQ $2, R8
	SPLIT256(AX)

row:
	ZERO256
	XORL BX, BX
	TESTQ R9, R9
	JZ    rowTail

rowBlock:
	BLOCK256
	PREFETCHT1 1536(DI)(BX*1)
	PREFETCHT1 1600(DI)(BX*1)
	PREFETCHT1 1664(DI)(BX*1)
	PREFETCHT1 1728(DI)(BX*1)
	ADDQ $256, BX
	CMPQ BX, R9
	JB   rowBlock

rowTail:
	TESTQ CX, CX
	JZ    rowFold
	TAIL256

rowFold:
	FOLD256
	VMOVSS X0, (DX)
	ADDQ $4, DX
	ADDQ R8, DI
	DECQ R10
	JNZ  row
	VZEROUPPER
	RET
