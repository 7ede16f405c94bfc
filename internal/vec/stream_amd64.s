//go:build !purego

#include "textflag.h"

// The plainest reads of memory: two halves of the slice at once, every 64-byte line
// loaded once and added, prefetched as the row kernels prefetch. On Zen 4 none of these was
// faster: one, two, four and eight streams without prefetch and with T0 at 0.5 to 8 KiB,
// one and two with T1 at 2 and 4 KiB, one with NTA at 1 to 4 KiB.
// n is a positive multiple of 128.

#define PREFETCHLINES(ptr) \
	PREFETCHT1 2048(ptr) \
	PREFETCHT1 2112(ptr) \
	PREFETCHT1 2176(ptr) \
	PREFETCHT1 2240(ptr)

// func streamAVX512(p *float32, n int) float32
TEXT ·streamAVX512(SB), NOSPLIT, $0-20
	MOVQ p+0(FP), SI
	MOVQ n+8(FP), CX
	SHLQ $1, CX
	LEAQ (SI)(CX*1), DI
	VPXORQ Z0, Z0, Z0
	VPXORQ Z1, Z1, Z1
	VPXORQ Z2, Z2, Z2
	VPXORQ Z3, Z3, Z3
	VPXORQ Z4, Z4, Z4
	VPXORQ Z5, Z5, Z5
	VPXORQ Z6, Z6, Z6
	VPXORQ Z7, Z7, Z7

loop:
	PREFETCHLINES(SI)
	VADDPS (SI), Z0, Z0
	VADDPS 64(SI), Z1, Z1
	VADDPS 128(SI), Z2, Z2
	VADDPS 192(SI), Z3, Z3
	PREFETCHLINES(DI)
	VADDPS (DI), Z4, Z4
	VADDPS 64(DI), Z5, Z5
	VADDPS 128(DI), Z6, Z6
	VADDPS 192(DI), Z7, Z7
	ADDQ $256, SI
	ADDQ $256, DI
	SUBQ $256, CX
	JNZ  loop
	VADDPS Z4, Z0, Z0
	VADDPS Z5, Z1, Z1
	VADDPS Z6, Z2, Z2
	VADDPS Z7, Z3, Z3
	VADDPS Z2, Z0, Z0
	VADDPS Z3, Z1, Z1
	VADDPS Z1, Z0, Z0
	VEXTRACTF64X4 $1, Z0, Y1
	VADDPS Y1, Y0, Y0
	VEXTRACTF128 $1, Y0, X1
	VADDPS X1, X0, X0
	VPERMILPD $1, X0, X1
	VADDPS X1, X0, X0
	VMOVSHDUP X0, X1
	VADDSS X1, X0, X0
	VMOVSS X0, ret+16(FP)
	VZEROUPPER
	RET

#define ADDLINES256(ptr) \
	VADDPS (ptr), Y0, Y0 \
	VADDPS 32(ptr), Y1, Y1 \
	VADDPS 64(ptr), Y2, Y2 \
	VADDPS 96(ptr), Y3, Y3 \
	VADDPS 128(ptr), Y4, Y4 \
	VADDPS 160(ptr), Y5, Y5 \
	VADDPS 192(ptr), Y6, Y6 \
	VADDPS 224(ptr), Y7, Y7

// func streamAVX2(p *float32, n int) float32
TEXT ·streamAVX2(SB), NOSPLIT, $0-20
	MOVQ p+0(FP), SI
	MOVQ n+8(FP), CX
	SHLQ $1, CX
	LEAQ (SI)(CX*1), DI
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	VXORPS Y4, Y4, Y4
	VXORPS Y5, Y5, Y5
	VXORPS Y6, Y6, Y6
	VXORPS Y7, Y7, Y7

loop:
	PREFETCHLINES(SI)
	ADDLINES256(SI)
	PREFETCHLINES(DI)
	ADDLINES256(DI)
	ADDQ $256, SI
	ADDQ $256, DI
	SUBQ $256, CX
	JNZ  loop
	VADDPS Y4, Y0, Y0
	VADDPS Y5, Y1, Y1
	VADDPS Y6, Y2, Y2
	VADDPS Y7, Y3, Y3
	VADDPS Y2, Y0, Y0
	VADDPS Y3, Y1, Y1
	VADDPS Y1, Y0, Y0
	VEXTRACTF128 $1, Y0, X1
	VADDPS X1, X0, X0
	VPERMILPD $1, X0, X1
	VADDPS X1, X0, X0
	VMOVSHDUP X0, X1
	VADDSS X1, X0, X0
	VMOVSS X0, ret+16(FP)
	VZEROUPPER
	RET
