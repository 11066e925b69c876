/* Start-up of the Cortex-R5 test programs: vectors, a stack for each mode, .bss, floating point, main(). Every exception
 * keeps its return state on its own mode's stack and hands it to C, which may change it. */
	.syntax unified
	.cpu cortex-r5
	.fpu vfpv3-d16
	.arm

	.section .vectors, "ax"
	.global _start
_start:
	ldr	pc, =reset
	ldr	pc, =undefined_handler
	ldr	pc, =supervisor_handler
	ldr	pc, =prefetch_handler
	ldr	pc, =data_handler
	nop
	ldr	pc, =irq_handler
	ldr	pc, =fiq_handler
	.ltorg

	.macro	stack mode, at
	cps	#\mode
	ldr	sp, =stacks + \at
	.endm

	.text
reset:
	cpsid	if
	stack	0x11, 0x400
	stack	0x12, 0x800
	stack	0x17, 0xC00
	stack	0x1B, 0x1000
	stack	0x13, 0x1800
	stack	0x1F, 0x4000
	cpsie	a
	ldr	r0, =link_bss_start
	ldr	r1, =link_bss_end
	mov	r2, #0
1:	cmp	r0, r1
	strlo	r2, [r0], #4
	blo	1b
	bl	main
2:	wfi
	b	2b

	.macro	exception name, mode, kind
\name:
	srsdb	sp!, #\mode
	push	{r0-r3, r12, lr}
	mov	r0, #\kind
	add	r1, sp, #24
	and	r2, sp, #4
	sub	sp, sp, r2
	push	{r2, r3}
	bl	on_exception
	pop	{r2, r3}
	add	sp, sp, r2
	pop	{r0-r3, r12, lr}
	rfeia	sp!
	.endm

	exception undefined_handler, 0x1B, 1
	exception prefetch_handler, 0x17, 3
	exception data_handler, 0x17, 4

/* r0 and r1 are its arguments and r0 the result, as a system call has it. */
supervisor_handler:
	push	{r4, lr}
	mrs	r4, spsr
	mov	r2, r4
	sub	r3, lr, #4
	tst	r4, #0x20
	addne	r3, r3, #2
	bl	on_supervisor_call
	cmp	r0, #0
	biclt	r4, r4, #0x1F		/* a negative result: back in system mode */
	orrlt	r4, r4, #0x1F
	msr	spsr_cxsf, r4
	ldmfd	sp!, {r4, pc}^

/* Interrupts nest: on the system-mode stack, with the return state on it. */
irq_handler:
	sub	lr, lr, #4
	srsdb	sp!, #0x1F
	cps	#0x1F
	push	{r0-r3, r12, lr}
	and	r1, sp, #4
	sub	sp, sp, r1
	push	{r1, r2}
	bl	on_irq
	pop	{r1, r2}
	add	sp, sp, r1
	pop	{r0-r3, r12, lr}
	rfeia	sp!

/* r8 to r12 are FIQ mode's own. */
fiq_handler:
	sub	lr, lr, #4
	push	{r0-r3, lr}
	mrs	r0, spsr
	bl	on_fiq
	ldmfd	sp!, {r0-r3, pc}^

/* int in_user_mode(int (*f)(void)): runs f in user mode and returns its result, which must be negative. */
	.global in_user_mode
in_user_mode:
	push	{r4-r11, lr}
	mov	r4, r0
	cps	#0x10
	blx	r4
	svc	#77
	pop	{r4-r11, pc}

	.global irq_vector
irq_vector:				/* what the VIM's vector interface calls */
	b	irq_handler

	.weak	on_irq
	.weak	on_fiq
on_irq:
on_fiq:
	b	.

	.bss
	.balign	8
stacks:	.space	0x4000
