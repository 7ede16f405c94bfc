//go:build !purego

#include "textflag.h"

// Kernels for AVX-512F, in the order of operations that the package comment fixes:
// 64 lanes in four registers a row, one fused multiply-add an element, lanes folded
// in halves. BX is the byte offset inside a row. Only instructions of AVX-512F, AVX
// and SSE are used; registers 16 and up only as Z, because their X and Y forms
// would need AVX-512VL.

// SPLIT512 turns the element count in CX into R9, the bytes in whole blocks of 64;
// CX, the elements left; and K1-K4, the masks of those in four registers.
#define SPLIT512(tmp) \
	MOVQ  CX, R9 \
	ANDQ  $~63, R9 \
	SHLQ  $2, R9 \
	ANDQ  $63, CX \
	MOVQ  $1, tmp \
	SHLQ  CX, tmp \
	DECQ  tmp \
	KMOVW tmp, K1 \
	SHRQ  $16, tmp \
	KMOVW tmp, K2 \
	SHRQ  $16, tmp \
	KMOVW tmp, K3 \
	SHRQ  $16, tmp \
	KMOVW tmp, K4

// ZERO512 clears the lanes of one row.
#define ZERO512(acc0, acc1, acc2, acc3) \
	VPXORQ acc0, acc0, acc0 \
	VPXORQ acc1, acc1, acc1 \
	VPXORQ acc2, acc2, acc2 \
	VPXORQ acc3, acc3, acc3

// QUERY512 loads 64 elements of the query into Z16-Z19.
#define QUERY512 \
	VMOVUPS (SI)(BX*1), Z16 \
	VMOVUPS 64(SI)(BX*1), Z17 \
	VMOVUPS 128(SI)(BX*1), Z18 \
	VMOVUPS 192(SI)(BX*1), Z19

// BLOCK512 adds 64 elements of the row at ptr, times the query, to the row's lanes.
#define BLOCK512(ptr, acc0, acc1, acc2, acc3) \
	VFMADD231PS (ptr)(BX*1), Z16, acc0 \
	VFMADD231PS 64(ptr)(BX*1), Z17, acc1 \
	VFMADD231PS 128(ptr)(BX*1), Z18, acc2 \
	VFMADD231PS 192(ptr)(BX*1), Z19, acc3

// QUERYTAIL512 loads the last elements of the query; masked lanes read nothing and hold 0.
#define QUERYTAIL512 \
	VMOVUPS.Z (SI)(BX*1), K1, Z16 \
	VMOVUPS.Z 64(SI)(BX*1), K2, Z17 \
	VMOVUPS.Z 128(SI)(BX*1), K3, Z18 \
	VMOVUPS.Z 192(SI)(BX*1), K4, Z19

// TAIL512 is BLOCK512 for the last elements of a row, filled up with zeros.
#define TAIL512(ptr, acc0, acc1, acc2, acc3) \
	VMOVUPS.Z (ptr)(BX*1), K1, Z20 \
	VMOVUPS.Z 64(ptr)(BX*1), K2, Z21 \
	VMOVUPS.Z 128(ptr)(BX*1), K3, Z22 \
	VMOVUPS.Z 192(ptr)(BX*1), K4, Z23 \
	VFMADD231PS Z20, Z16, acc0 \
	VFMADD231PS Z21, Z17, acc1 \
	VFMADD231PS Z22, Z18, acc2 \
	VFMADD231PS Z23, Z19, acc3

// FOLD512 folds the 64 lanes of a row in halves (32, 16, 8, 4, 2, 1) into the lowest
// lane of x0. y0 and x0 are the low parts of acc0; y1 and x1, of acc1, are scratch.
#define FOLD512(acc0, acc1, acc2, acc3, y0, y1, x0, x1) \
	VADDPS        acc2, acc0, acc0 \
	VADDPS        acc3, acc1, acc1 \
	VADDPS        acc1, acc0, acc0 \
	VEXTRACTF64X4 $1, acc0, y1 \
	VADDPS        y1, y0, y0 \
	VEXTRACTF128  $1, y0, x1 \
	VADDPS        x1, x0, x0 \
	VPERMILPD     $1, x0, x1 \
	VADDPS        x1, x0, x0 \
	VMOVSHDUP     x0, x1 \
	VADDSS        x1, x0, x0

// PREFETCH512 asks for the 256 bytes that this row pointer reaches 8 blocks later,
// into the second level only (measured: BenchmarkScanAgainstStream; into the first
// level the same prefetch cost up to a quarter of the bandwidth). It cannot fault.
#define PREFETCH512(ptr) \
	PREFETCHT1 2048(ptr)(BX*1) \
	PREFETCHT1 2112(ptr)(BX*1) \
	PREFETCHT1 2176(ptr)(BX*1) \
	PREFETCHT1 2240(ptr)(BX*1)

// func dotAVX512(a, b *float32, n int) float32
TEXT ·dotAVX512(SB), NOSPLIT, $0-28
	MOVQ a+0(FP), SI
	MOVQ b+8(FP), DI
	MOVQ n+16(FP), CX
	SPLIT512(AX)
	ZERO512(Z0, Z1, Z2, Z3)
	XORL BX, BX
	TESTQ R9, R9
	JZ    tail

block:
	QUERY512
	BLOCK512(DI, Z0, Z1, Z2, Z3)
	ADDQ $256, BX
	CMPQ BX, R9
	JB   block

tail:
	TESTQ CX, CX
	JZ    fold
	QUERYTAIL512
	TAIL512(DI, Z0, Z1, Z2, Z3)

fold:
	FOLD512(Z0, Z1, Z2, Z3, Y0, Y1, X0, X1)
	VMOVSS X0, ret+24(FP)
	VZEROUPPER
	RET

// func dotRowsAVX512(query *float32, n int, rows *float32, stride int, out *float32, count int)
//
// Rows go in pairs that share the loads of the query: one from the first half of the
// set, one from the second, so that memory sees two long sequential streams. Adjacent
// rows in step (two or four) reach half the bandwidth, because each of their streams
// ends after one row.
TEXT ·dotRowsAVX512(SB), NOSPLIT, $0-48
	MOVQ  query+0(FP), SI
	MOVQ  n+8(FP), CX
	MOVQ  rows+16(FP), DI
	MOVQ  stride+24(FP), R8
	MOVQ  out+32(FP), DX
	MOVQ  count+40(FP), R10
	SHLQ  $2, R8
	SPLIT512(AX)
	MOVQ  R10, R13
	ANDQ  $1, R13
	SHRQ  $1, R10
	MOVQ  R10, R11
	IMULQ R8, R11
	ADDQ  DI, R11
	LEAQ  (DX)(R10*4), R12
	TESTQ R10, R10
	JZ    odd

pair:
	ZERO512(Z0, Z1, Z2, Z3)
	ZERO512(Z4, Z5, Z6, Z7)
	XORL BX, BX
	TESTQ R9, R9
	JZ    pairTail

pairBlock:
	QUERY512
	BLOCK512(DI, Z0, Z1, Z2, Z3)
	BLOCK512(R11, Z4, Z5, Z6, Z7)
	PREFETCH512(DI)
	PREFETCH512(R11)
	ADDQ $256, BX
	CMPQ BX, R9
	JB   pairBlock

pairTail:
	TESTQ CX, CX
	JZ    pairFold
	QUERYTAIL512
	TAIL512(DI, Z0, Z1, Z2, Z3)
	TAIL512(R11, Z4, Z5, Z6, Z7)

pairFold:
	FOLD512(Z0, Z1, Z2, Z3, Y0, Y1, X0, X1)
	FOLD512(Z4, Z5, Z6, Z7, Y4, Y5, X4, X5)
	VMOVSS X0, (DX)
	VMOVSS X4, (R12)
	ADDQ $4, DX
	ADDQ $4, R12
	ADDQ R8, DI
	ADDQ R8, R11
	DECQ R10
	JNZ  pair

odd:
	// R11 and R12 stand behind the second half: at the last row of an odd count.
	TESTQ R13, R13
	JZ    done
	ZERO512(Z0, Z1, Z2, Z3)
	XORL BX, BX
	TESTQ R9, R9
	JZ    oddTail

oddBlock:
	QUERY512
	BLOCK512(R11, Z0, Z1, Z2, Z3)
	ADDQ $256, BX
	CMPQ BX, R9
	JB   oddBlock

oddTail:
	TESTQ CX, CX
	JZ    oddFold
	QUERYTAIL512
	TAIL512(R11, Z0, Z1, Z2, Z3)

oddFold:
	FOLD512(Z0, Z1, Z2, Z3, Y0, Y1, X0, X1)
	VMOVSS X0, (R12)

done:
	VZEROUPPER
	RET
