/* Vectors and start-up of a Cortex-R5F, in Arm state at address 0. Interrupts are served in system mode on the one stack
 * and do not nest. Anything else is a fault, which ends in hal_lockup(). */
	.syntax unified
	.cpu cortex-r5
	.fpu vfpv3-d16
	.arm

	.section .vectors, "ax"
	.global	vectors
vectors:
	ldr	pc, =reset
	ldr	pc, =fault
	ldr	pc, =fault
	ldr	pc, =fault
	ldr	pc, =fault
	nop
	ldr	pc, =interrupt
	ldr	pc, =fault
	.ltorg

	.text
reset:
	cpsid	if
	cps	#0x12
	ldr	sp, =link_stack_top
	cps	#0x17
	ldr	sp, =link_stack_top
	cps	#0x1B
	ldr	sp, =link_stack_top
	cps	#0x1F
	ldr	sp, =link_stack_top

	mrc	p15, 0, r0, c1, c0, 2		/* CPACR: floating point for everybody */
	orr	r0, r0, #0xF << 20
	mcr	p15, 0, r0, c1, c0, 2
	isb
	mov	r0, #1 << 30
	vmsr	fpexc, r0

	ldr	r0, =link_data_load
	ldr	r1, =link_data_start
	ldr	r2, =link_data_end
1:	cmp	r1, r2
	ldrlo	r3, [r0], #4
	strlo	r3, [r1], #4
	blo	1b
	ldr	r1, =link_bss_start
	ldr	r2, =link_bss_end
	mov	r3, #0
2:	cmp	r1, r2
	strlo	r3, [r1], #4
	blo	2b
	b	armv7r_start

interrupt:
	sub	lr, lr, #4
	srsdb	sp!, #0x1F
	cps	#0x1F
	push	{r0-r3, r12, lr}
	and	r1, sp, #4
	sub	sp, sp, r1
	push	{r1, r2}
	mov	r0, #1
	bl	cpu_exception
	pop	{r1, r2}
	add	sp, sp, r1
	pop	{r0-r3, r12, lr}
	rfeia	sp!

fault:
	b	hal_lockup
