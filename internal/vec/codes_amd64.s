//go:build !purego

#include "textflag.h"

// Kernels over codes: rows of n signed bytes without gaps, n a multiple of 64, times a question of n 16-bit integers.
// A row's bytes are widened as they are loaded; products are added in pairs to 32-bit lanes, which cannot overflow. SI
// walks nothing: BX is the element inside a row, the question's byte offset is twice that.

// QUERYV loads 64 elements of the question into Z16 and Z17.
#define QUERYV \
	VMOVDQU64 (SI)(BX*2), Z16 \
	VMOVDQU64 64(SI)(BX*2), Z17

// ROWV adds 64 elements of the row at ptr, times the question, to two registers of lanes.
#define ROWV(ptr, acc0, acc1, tmp0, tmp1) \
	VPMOVSXBW (ptr)(BX*1), tmp0 \
	VPMOVSXBW 32(ptr)(BX*1), tmp1 \
	VPDPWSSD tmp0, Z16, acc0 \
	VPDPWSSD tmp1, Z17, acc1

// FOLDV adds the lanes of two registers up into the lowest lane of x0.
#define FOLDV(acc0, acc1, y0, y1, x0, x1) \
	VPADDD acc1, acc0, acc0 \
	VEXTRACTI64X4 $1, acc0, y1 \
	VPADDD y1, y0, y0 \
	VEXTRACTI128 $1, y0, x1 \
	VPADDD x1, x0, x0 \
	VPSHUFD $0x4e, x0, x1 \
	VPADDD x1, x0, x0 \
	VPSHUFD $0xb1, x0, x1 \
	VPADDD x1, x0, x0

// func dotCodeRowsVNNI(query *int16, n int, rows *int8, out *int32, count int)
//
// Four neighbouring rows share the loads of the question; the next four are asked for meanwhile.
TEXT ·dotCodeRowsVNNI(SB), NOSPLIT, $0-40
	MOVQ query+0(FP), SI
	MOVQ n+8(FP), R8
	MOVQ rows+16(FP), DI
	MOVQ out+24(FP), DX
	MOVQ count+32(FP), R10
	MOVQ R10, R13
	ANDQ $3, R13
	SHRQ $2, R10
	JZ   ones

fours:
	LEAQ (DI)(R8*1), R9
	LEAQ (R9)(R8*1), R11
	LEAQ (R11)(R8*1), R12
	LEAQ (R12)(R8*1), R14
	LEAQ (R8)(R8*2), AX
	VPXORQ Z0, Z0, Z0
	VPXORQ Z1, Z1, Z1
	VPXORQ Z2, Z2, Z2
	VPXORQ Z3, Z3, Z3
	VPXORQ Z4, Z4, Z4
	VPXORQ Z5, Z5, Z5
	VPXORQ Z6, Z6, Z6
	VPXORQ Z7, Z7, Z7
	XORL BX, BX

fourBlock:
	QUERYV
	ROWV(DI, Z0, Z1, Z18, Z19)
	ROWV(R9, Z2, Z3, Z20, Z21)
	ROWV(R11, Z4, Z5, Z22, Z23)
	ROWV(R12, Z6, Z7, Z24, Z25)
	LEAQ (R14)(BX*1), CX
	PREFETCHT0 (CX)
	PREFETCHT0 (CX)(R8*1)
	PREFETCHT0 (CX)(R8*2)
	PREFETCHT0 (CX)(AX*1)
	ADDQ $64, BX
	CMPQ BX, R8
	JB   fourBlock

	FOLDV(Z0, Z1, Y0, Y1, X0, X1)
	FOLDV(Z2, Z3, Y2, Y3, X2, X3)
	FOLDV(Z4, Z5, Y4, Y5, X4, X5)
	FOLDV(Z6, Z7, Y6, Y7, X6, X7)
	VMOVD X0, (DX)
	VMOVD X2, 4(DX)
	VMOVD X4, 8(DX)
	VMOVD X6, 12(DX)
	ADDQ $16, DX
	MOVQ R14, DI
	DECQ R10
	JNZ  fours

ones:
	TESTQ R13, R13
	JZ    done

one:
	VPXORQ Z0, Z0, Z0
	VPXORQ Z1, Z1, Z1
	XORL BX, BX

oneBlock:
	QUERYV
	ROWV(DI, Z0, Z1, Z18, Z19)
	ADDQ $64, BX
	CMPQ BX, R8
	JB   oneBlock

	FOLDV(Z0, Z1, Y0, Y1, X0, X1)
	VMOVD X0, (DX)
	ADDQ $4, DX
	ADDQ R8, DI
	DECQ R13
	JNZ  one

done:
	VZEROUPPER
	RET

// STEP2 adds 16 elements of the row at ptr, times those of the question in q, to acc.
#define STEP2(ptr, offset, q, acc, tmp) \
	VPMOVSXBW offset(ptr)(BX*1), tmp \
	VPMADDWD q, tmp, tmp \
	VPADDD tmp, acc, acc

// FOLD2 adds the lanes of two registers up into the lowest lane of x0.
#define FOLD2(acc0, acc1, x0, x1) \
	VPADDD acc1, acc0, acc0 \
	VEXTRACTI128 $1, acc0, x1 \
	VPADDD x1, x0, x0 \
	VPSHUFD $0x4e, x0, x1 \
	VPADDD x1, x0, x0 \
	VPSHUFD $0xb1, x0, x1 \
	VPADDD x1, x0, x0

// func dotCodeRowsAVX2(query *int16, n int, rows *int8, out *int32, count int)
//
// Two neighbouring rows share the loads of the question.
TEXT ·dotCodeRowsAVX2(SB), NOSPLIT, $0-40
	MOVQ query+0(FP), SI
	MOVQ n+8(FP), R8
	MOVQ rows+16(FP), DI
	MOVQ out+24(FP), DX
	MOVQ count+32(FP), R10
	MOVQ R10, R13
	ANDQ $1, R13
	SHRQ $1, R10
	JZ   odd

pair:
	LEAQ (DI)(R8*1), R9
	LEAQ (R9)(R8*1), R11
	VPXOR Y0, Y0, Y0
	VPXOR Y1, Y1, Y1
	VPXOR Y2, Y2, Y2
	VPXOR Y3, Y3, Y3
	XORL BX, BX

pairBlock:
	VMOVDQU (SI)(BX*2), Y4
	VMOVDQU 32(SI)(BX*2), Y5
	VMOVDQU 64(SI)(BX*2), Y6
	VMOVDQU 96(SI)(BX*2), Y7
	STEP2(DI, 0, Y4, Y0, Y8)
	STEP2(DI, 16, Y5, Y1, Y9)
	STEP2(DI, 32, Y6, Y0, Y10)
	STEP2(DI, 48, Y7, Y1, Y11)
	STEP2(R9, 0, Y4, Y2, Y12)
	STEP2(R9, 16, Y5, Y3, Y13)
	STEP2(R9, 32, Y6, Y2, Y14)
	STEP2(R9, 48, Y7, Y3, Y15)
	LEAQ (R11)(BX*1), CX
	PREFETCHT0 (CX)
	PREFETCHT0 (CX)(R8*1)
	ADDQ $64, BX
	CMPQ BX, R8
	JB   pairBlock

	FOLD2(Y0, Y1, X0, X1)
	FOLD2(Y2, Y3, X2, X3)
	VMOVD X0, (DX)
	VMOVD X2, 4(DX)
	ADDQ $8, DX
	MOVQ R11, DI
	DECQ R10
	JNZ  pair

odd:
	TESTQ R13, R13
	JZ    done
	VPXOR Y0, Y0, Y0
	VPXOR Y1, Y1, Y1
	XORL BX, BX

oddBlock:
	VMOVDQU (SI)(BX*2), Y4
	VMOVDQU 32(SI)(BX*2), Y5
	VMOVDQU 64(SI)(BX*2), Y6
	VMOVDQU 96(SI)(BX*2), Y7
	STEP2(DI, 0, Y4, Y0, Y8)
	STEP2(DI, 16, Y5, Y1, Y9)
	STEP2(DI, 32, Y6, Y0, Y10)
	STEP2(DI, 48, Y7, Y1, Y11)
	ADDQ $64, BX
	CMPQ BX, R8
	JB   oddBlock

	FOLD2(Y0, Y1, X0, X1)
	VMOVD X0, (DX)

done:
	VZEROUPPER
	RET
